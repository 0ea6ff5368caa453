// SPDX-License-Identifier: BSD-2-Clause
/* Tables that are ready for the engine "instant": how many, and what they show. */
#include <errno.h>
#include <sys/mman.h>

#include "partner.h"
#include "snapshots.h"

static struct dbos_snap_stats stats(void)
{
	struct dbos_snap_stats now;

	check_ok(dbos_snap_stats(dbos, &now));
	return now;
}

/* All pages again and again, while tables are made ready: what is copied meanwhile is in them. */
static void count_everywhere(void)
{
	uint64_t next = pages[0][9] + 1;

	for (unsigned long i = 0; i < PAGES; i += 5)
		store(pages[i][9], next);
}

static void counts_are_one_moment(void)
{
	begin_partner(count_everywhere);
	for (uint64_t i = 0; i < rounds; i++) {
		struct dbos_snap *snap;
		uint64_t first, last;

		check_ok(dbos_snap_prepare(dbos, 1 + i % 3));
		check_ok(dbos_snap_create(dbos, DBOS_SNAP_INSTANT, &snap));
		first = word_of(snap, 0, 9);
		last = first;
		for (unsigned long page = 0; page < PAGES; page += 5) {
			uint64_t value = word_of(snap, page, 9);

			check(value == last || value + 1 == first, "page %lu is %lu behind %lu",
			      page, value, last);
			last = value;
		}
		check_ok(dbos_snap_release(snap));
	}
	end_partner();
}

static void *read_far_away(void *arg)
{
	return (void *)*(uint64_t *)arg;
}

/* What the process maps when a table is ready already is seen by who is on the snapshot. */
static void later_memory_is_there(void)
{
	struct dbos_snap *snap;
	uint64_t *word;
	void *result;

	check_ok(dbos_snap_prepare(dbos, 1));
	word = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(word != MAP_FAILED, "mmap");
	*word = 4711;
	check_ok(dbos_snap_create(dbos, DBOS_SNAP_INSTANT, &snap));
	check_ok(dbos_snap_run(snap, read_far_away, word, &result));
	check(result == (void *)4711, "it shows %p", result);
	check_ok(dbos_snap_release(snap));
	munmap(word, 64 * PAGE);
}

/* A page that is copied when a table is ready already: its copy is in that table too. */
static void copies_are_mirrored(void)
{
	struct dbos_snap *before, *snap;
	uint64_t value = pages[0][9] + 1, mirrored;

	check_ok(dbos_snap_create(dbos, 0, &before));
	check_ok(dbos_snap_prepare(dbos, 1));
	mirrored = stats().mirrored;
	store(pages[0][9], value);
	check(stats().mirrored > mirrored, "nothing was mirrored");
	check_ok(dbos_snap_create(dbos, DBOS_SNAP_INSTANT, &snap));
	check(word_of(snap, 0, 9) == value, "it shows %lu", word_of(snap, 0, 9));
	check(word_of(before, 0, 9) == value - 1, "the elder shows %lu", word_of(before, 0, 9));
	check_ok(dbos_snap_release(snap));
	check_ok(dbos_snap_release(before));
}

void tables_are_ready(void)
{
	struct dbos_snap_stats before = stats();
	struct dbos_snap *snap, *child;

	check(dbos_snap_prepare(dbos, DBOS_SNAP_READY_MAX + 1) == -EINVAL, "too many are ready");
	check_ok(dbos_snap_prepare(dbos, 3));
	check(stats().ready == 3, "%lu are ready, not 3", stats().ready);
	check_ok(dbos_snap_prepare(dbos, 1));
	check(stats().ready == 1, "%lu are ready, not 1", stats().ready);
	check_ok(dbos_snap_create(dbos, DBOS_SNAP_INSTANT, &snap));
	check(stats().ready == 0 && stats().unready == before.unready, "none was taken");
	check_ok(dbos_snap_child(snap, DBOS_SNAP_INSTANT, &child));
	check(stats().unready == before.unready + 1, "a child took what was not there");
	check_ok(dbos_snap_release(snap));
	check_ok(dbos_snap_release(child));
	check(stats().kept == 0, "%lu are kept", stats().kept);
	counts_are_one_moment();
	later_memory_is_there();
	copies_are_mirrored();
	printf("ready: ok\n");
}
