// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_steps: a release lets others cut while it is under way, and what it does at once does
 * not grow with what the snapshot had. For a small snapshot and for a large one it prints
 *
 *	alone PAGES STEPS LONGEST	entries and frames in the longest step so far
 *	beside PAGES CUTS		of another vCPU, which asked for them when it had begun
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
#define CUTS  64
#define TRIES 5			/* the other vCPU may not be running when it has its turn */

static struct dbos *dbos;
static char (*pages)[PAGE];
static uint64_t releasing, cuts, held[CUTS];

static struct dbos_snap_stats stats(void)
{
	struct dbos_snap_stats now;

	check_ok(dbos_snap_stats(dbos, &now));
	return now;
}

/* Once a step is over. What is held then becomes less by the steps that are left. */
static void cut(void)
{
	uint64_t steps = stats().steps;
	struct dbos_snap *snap;

	while (load(releasing) && stats().steps == steps)
		;
	if (!load(releasing))
		return;
	check_ok(dbos_snap_create(dbos, 0, &snap));
	held[cuts++ % CUTS] = stats().held;
	check_ok(dbos_snap_release(snap));
}

/* Those that did not have to wait until all was done. */
static uint64_t cuts_before(uint64_t end)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < cuts && i < CUTS; i++)
		count += held[i] > end;
	return count;
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
	uint64_t steps, end;

	write_pages((void *)count);
	check_ok(dbos_snap_create(dbos, 0, &old));
	write_pages((void *)count);
	check_ok(dbos_snap_create(dbos, 0, &snap));
	write_pages((void *)count);
	check_ok(dbos_snap_run(snap, write_pages, (void *)count, NULL));
	cuts = 0;
	if (!alone)
		begin_partner(cut);
	steps = stats().steps;
	store(releasing, 1);
	check_ok(dbos_snap_release(snap));
	store(releasing, 0);
	end = stats().held;
	if (alone) {
		printf("alone %lu %lu %lu\n", count, stats().steps - steps,
		       stats().longest_step);
	} else {
		end_partner();
		printf("beside %lu %lu\n", count, cuts_before(end));
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
	for (unsigned int i = 0; i < TRIES; i++)
		release_one_of(LARGE, false);
	check(stats().live == 0 && stats().held == 0, "%lu are held", stats().held);
	check_ok(dbos_leave());
	printf("snapshot_steps: ok\n");
	return 0;
}
