// SPDX-License-Identifier: BSD-2-Clause
/*
 * Prioritised copying: a thread outside, which knows no page table but the host's, finds what the
 * process has written at its addresses, while there are snapshots, and somebody writes in one.
 */
#include <errno.h>
#include <pthread.h>

#include "partner.h"
#include "snapshots.h"

#define LOOKS	20
#define STEP	5ul		/* of pages that are written */
#define WRITTEN ((PAGES + STEP - 1) / STEP)

static struct dbos_snap *snap;
static uint64_t old;

/* Again and again, by what was known of the pages before they were written. */
static void *be_on_snapshot(void *arg)
{
	for (unsigned long i = 0; i < LOOKS * PAGES; i++) {
		uint64_t is = pages[i % PAGES][7];

		check(is == old, "page %lu shows %lu, not %lu", i % PAGES, is, old);
	}
	for (unsigned long i = 0; i < PAGES; i += 3)
		store(pages[i][8], load(pages[i][8]) + 1);
	return arg;
}

static void use_snapshot(void)
{
	check_ok(dbos_snap_run(snap, be_on_snapshot, NULL, NULL));
}

static void *look_from_outside(void *arg)
{
	for (unsigned long i = 0; i < PAGES; i++) {
		uint64_t should = i % STEP ? old : old + 1;

		check(pages[i][7] == should, "page %lu shows %lu outside, not %lu", i, pages[i][7],
		      should);
	}
	return arg;
}

static void look_outside(void)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, look_from_outside, NULL) == 0, "pthread_create");
	check(pthread_join(thread, NULL) == 0, "pthread_join");
}

static uint64_t stayed(void)
{
	struct dbos_snap_stats stats;

	check_ok(dbos_snap_stats(dbos, &stats));
	return stats.stayed;
}

static void write_beside_snapshots(void)
{
	struct dbos_snap *child;
	uint64_t before = stayed();

	snap = create();
	check_ok(dbos_snap_child(snap, flags, &child));
	begin_partner(use_snapshot);
	for (unsigned long i = 0; i < PAGES; i += STEP)
		store(pages[i][7], old + 1);
	end_partner();
	before = stayed() - before;
	check(before == WRITTEN, "%lu pages stayed, not %lu", before, WRITTEN);
	look_outside();
	for (unsigned long i = 0; i < PAGES; i += STEP) {
		check(word_of(child, i, 7) == old, "the child shows %lu", word_of(child, i, 7));
		check(word_of(child, i, 8) == 0, "it shows what its parent wrote");
	}
	check_ok(dbos_snap_release(snap));
	check_ok(dbos_snap_release(child));
}

void the_process_pages_stay(void)
{
	check(dbos_snap_copying(dbos, 7) == -EINVAL, "copied as it is not known");
	check_ok(dbos_snap_copying(dbos, DBOS_SNAP_PRIORITISED));
	old = pages[0][7] + 1;
	for (unsigned long i = 0; i < PAGES; i++) {
		pages[i][7] = old;
		pages[i][8] = 0;
	}
	write_beside_snapshots();
	check_ok(dbos_snap_copying(dbos, DBOS_SNAP_MOVE));
	printf("stays: ok\n");
}
