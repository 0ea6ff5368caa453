// SPDX-License-Identifier: BSD-2-Clause
/* What is in a snapshot, and what is not. */
#include <errno.h>

#include "partner.h"
#include "snapshots.h"

/* What one vCPU alone sees: the whole of it, in both directions. */
static void *look_and_scribble(void *arg)
{
	for (unsigned long i = 0; i < PAGES; i += 37) {
		check(pages[i][0] == (uintptr_t)arg + i, "page %lu shows %#lx on the snapshot", i,
		      pages[i][0]);
		pages[i][0] = ~i;
		pages[i][1] = i;
	}
	return &pages[0][0];
}

void a_snapshot_keeps_what_was_there(void)
{
	struct dbos_snap *snap;
	void *result;

	for (unsigned long i = 0; i < PAGES; i++) {
		pages[i][0] = 1000 + i;
		pages[i][1] = 0;
	}
	snap = create();
	for (unsigned long i = 0; i < PAGES; i += 3)
		pages[i][0] = 5;
	check(word_of(snap, 3, 0) == 1003 && word_of(snap, 4, 0) == 1004, "it shows %lu, %lu",
	      word_of(snap, 3, 0), word_of(snap, 4, 0));
	check_ok(dbos_snap_run(snap, look_and_scribble, (void *)1000, &result));
	check(result == &pages[0][0], "another result");
	for (unsigned long i = 0; i < PAGES; i++)
		check(pages[i][0] == (i % 3 ? 1000 + i : 5) && pages[i][1] == 0,
		      "page %lu is %lu, %lu after writes to the snapshot", i, pages[i][0],
		      pages[i][1]);
	check(word_of(snap, 37, 1) == 37, "its own write shows %lu", word_of(snap, 37, 1));
	check(dbos_snap_read(snap, &result, &result, 8) == -EFAULT, "it has other memory");
	check_ok(dbos_snap_release(snap));
	printf("kept: ok\n");
}

/* x, then y, by one writer; x and y are far from each other. */
static void count(void)
{
	uint64_t next = pages[1][8] + 1;

	store(pages[1][8], next);
	store(pages[700][8], next);
	store(pages[300][8], next);
}

static void *compare_counters(void *arg)
{
	uint64_t x = pages[1][8], y = pages[700][8], z = pages[300][8];

	check(y <= x && x <= y + 1 && z <= y && y <= z + 1, "no one moment: %lu, %lu, %lu", x, y,
	      z);
	check(arg == NULL || *(uint64_t *)arg == x, "it was %lu and is %lu", *(uint64_t *)arg, x);
	return (void *)x;
}

/* S1, S3, S6: the partner goes on writing at full speed. */
void a_cut_is_one_moment(void)
{
	begin_partner(count);
	for (uint64_t i = 0; i < rounds; i++) {
		struct dbos_snap *snap = create();
		uint64_t x = word_of(snap, 1, 8), acts = load(partner.acts);

		while (load(partner.acts) < acts + 3)
			;
		check_ok(dbos_snap_run(snap, compare_counters, &x, NULL));
		check_ok(dbos_snap_release(snap));
	}
	end_partner();
	printf("moment: ok\n");
}

/* S20: the two of them write the same page, which nobody has written since the cut. */
static uint64_t turn;

static void write_in_turn(void)
{
	uint64_t now = load(turn);

	pages[now % PAGES][200] = now;
}

void one_copy_for_two_writers(void)
{
	struct dbos_snap_stats before, after;
	uint64_t acts;

	begin_partner(write_in_turn);
	check_ok(dbos_snap_stats(dbos, &before));
	for (uint64_t i = 0; i < rounds; i++) {
		struct dbos_snap *snap = create();
		uint64_t now = turn + 1;

		store(turn, now);
		pages[now % PAGES][201] = ~now;
		check(pages[now % PAGES][201] == ~now, "a write is lost");
		check(word_of(snap, now % PAGES, 201) != ~now, "a write is in the snapshot");
		check_ok(dbos_snap_release(snap));
	}
	acts = load(partner.acts);
	while (load(partner.acts) < acts + 2)
		sched_yield();
	end_partner();
	check_ok(dbos_snap_stats(dbos, &after));
	check(after.pages - before.pages <= 3 * rounds, "%lu copies for %lu pages",
	      after.pages - before.pages, rounds);
	check(pages[turn % PAGES][200] == turn, "the other's write is lost");
	printf("writers: ok\n");
}
