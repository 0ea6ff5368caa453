// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_steps: a release lets others cut while it is under way, and what it does at once does
 * not grow with what the snapshot had. For a small snapshot and for a large one it prints
 *
 *	alone PAGES STEPS LONGEST	entries and frames in the longest step so far
 *	beside PAGES CUTS		of another vCPU, meanwhile
 *
 * and "snapshot_steps: ok" at the end.
 */
#include <unistd.h>

#include <dbos/snapshot.h>

#include "partner.h"

#define PAGE  DBOS_PAGE_SIZE
#define RANGE DBOS_HUGE_SIZE
#define SMALL (RANGE / PAGE)
#define LARGE (32 * SMALL)

static struct dbos *dbos;
static char (*pages)[PAGE];
static uint64_t cuts;

static struct dbos_snap_stats stats(void)
{
	struct dbos_snap_stats now;

	check_ok(dbos_snap_stats(dbos, &now));
	return now;
}

static void cut(void)
{
	struct dbos_snap *snap;

	check_ok(dbos_snap_create(dbos, 0, &snap));
	check_ok(dbos_snap_release(snap));
	store(cuts, cuts + 1);
}

static void *write_pages(void *arg)
{
	unsigned long count = (unsigned long)arg;

	for (unsigned long i = 0; i < count; i++)
		pages[i][0]++;
	return NULL;
}

/*
 * What the process has left to it is handed on, and what was written on it is its own. An older
 * one takes nothing of that: all of it was written since.
 */
static void release_one_of(unsigned long count, bool alone)
{
	struct dbos_snap *old, *snap;
	uint64_t steps, first, last;

	write_pages((void *)count);
	check_ok(dbos_snap_create(dbos, 0, &old));
	write_pages((void *)count);
	check_ok(dbos_snap_create(dbos, 0, &snap));
	write_pages((void *)count);
	check_ok(dbos_snap_run(snap, write_pages, (void *)count, NULL));
	if (!alone)
		begin_partner(cut);
	steps = stats().steps;
	first = load(cuts);
	check_ok(dbos_snap_release(snap));
	last = load(cuts);
	if (alone) {
		printf("alone %lu %lu %lu\n", count, stats().steps - steps,
		       stats().longest_step);
	} else {
		end_partner();
		printf("beside %lu %lu\n", count, last - first);
	}
	check_ok(dbos_snap_release(old));
}

int main(void)
{
	struct dbos_region *region;
	struct dbos_region_info info;

	alarm(100);
	check_ok(dbos_init());
	dbos = dbos_instance();
	check_ok(dbos_enter());
	check_ok(dbos_region_create(dbos, NULL, LARGE * PAGE, LARGE * PAGE,
				    DBOS_REGION_WRITABLE | DBOS_REGION_HUGE, &region));
	dbos_region_info(region, &info);
	pages = info.base;
	check_ok(dbos_snap_add(dbos, region));
	release_one_of(SMALL, true);
	release_one_of(LARGE, true);
	release_one_of(SMALL, false);
	release_one_of(LARGE, false);
	check(stats().live == 0 && stats().held == 0, "%lu are held", stats().held);
	check_ok(dbos_leave());
	printf("snapshot_steps: ok\n");
	return 0;
}
