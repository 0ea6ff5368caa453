// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_pressure: snapshots with a pool that has but a few frames left, by both policies (S18).
 * Each step prints its name; the last line is "snapshot_pressure: ok".
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <dbos/export.h>
#include <dbos/mm.h>
#include <dbos/snapshot.h>

#include "check.h"

#define PAGE   DBOS_PAGE_SIZE
#define PAGES  1024ul
#define WORDS  (PAGE / sizeof(uint64_t))
#define POOL   (1ul << 18)	/* frames: more than there are */
#define WRITES 10ul
#define LENT   2048ul

static struct dbos *dbos;
static volatile uint64_t (*pages)[WORDS];
static uint64_t hoard[POOL];
static volatile unsigned long hoarded, faults;	/* by the fault handler as well */
static volatile bool generous;

static struct dbos_snap *create(void)
{
	struct dbos_snap *snap;

	check_ok(dbos_snap_create(dbos, 0, &snap));
	return snap;
}

static struct dbos_snap_stats stats(void)
{
	struct dbos_snap_stats now;

	check_ok(dbos_snap_stats(dbos, &now));
	return now;
}

static uint64_t word_of(struct dbos_snap *snap, unsigned long page)
{
	uint64_t value;

	check_ok(dbos_snap_read(snap, (void *)&pages[page][1], &value, sizeof(value)));
	return value;
}

static void write_pages(uint64_t value)
{
	for (unsigned long i = 0; i < WRITES; i++)
		pages[i][1] = value;
}

/* All frames but @left are the test's. */
static void make_scarce(unsigned long left)
{
	uint64_t gpa;

	while ((gpa = dbos_frame_alloc(dbos))) {
		check(hoarded < POOL, "the pool is larger");
		hoard[hoarded++] = gpa;
	}
	while (left--)
		dbos_frame_free(dbos, hoard[--hoarded]);
}

static void make_plenty(void)
{
	while (hoarded)
		dbos_frame_free(dbos, hoard[--hoarded]);
}

/* The program's: it is asked where nothing can be done. */
static enum dbos_verdict on_fault(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)arg;
	(void)va;
	(void)fec;
	(void)tf;
	faults++;
	if (!generous)
		return DBOS_NEXT;
	for (int i = 0; i < 4; i++)
		dbos_frame_free(dbos, hoard[--hoarded]);
	return DBOS_HANDLED;
}

static void errors_are_the_programs(void)
{
	struct dbos_snap *snap = create(), *none;

	write_pages(1);
	make_scarce(0);
	check(dbos_snap_create(dbos, 0, &none) == -ENOMEM, "a cut without frames");
	check(stats().live == 1 && stats().created == 1, "%lu live", stats().live);
	generous = true;
	pages[WRITES][1] = 1;
	generous = false;
	check(faults == 1 && pages[WRITES][1] == 1, "%lu faults", faults);
	check(word_of(snap, 0) == 0 && word_of(snap, WRITES) == 0, "the snapshot has changed");
	check(stats().dropped == 0, "something was dropped");
	check_ok(dbos_snap_release(snap));
	make_plenty();
	printf("error: ok\n");
}

static void *nothing(void *arg)
{
	return arg;
}

static int no_difference(void *arg, const void *va, size_t length)
{
	(void)arg;
	(void)va;
	(void)length;
	return 0;
}

static void check_stale(struct dbos_snap *snap, struct dbos_snap *other)
{
	struct dbos_snap *child;
	uint64_t value;

	check(dbos_snap_read(snap, (void *)pages, &value, 8) == -ESTALE, "read");
	check(dbos_snap_attach(snap) == -ESTALE, "attach");
	check(dbos_snap_run(snap, nothing, NULL, NULL) == -ESTALE, "run");
	check(dbos_snap_child(snap, 0, &child) == -ESTALE, "child");
	check(dbos_snap_diff(other, snap, no_difference, NULL) == -ESTALE, "diff");
	check(dbos_snap_diff(snap, other, no_difference, NULL) == -ESTALE, "diff");
}

static void *write_until_one_goes(void *arg)
{
	uint64_t before = stats().dropped;

	for (unsigned long i = 0; i < PAGES && stats().dropped == before; i++)
		pages[i][2] = 7;
	return arg;
}

/* Each write goes through, each snapshot but those that are given up stays what it is. */
static void the_oldest_goes(void)
{
	struct dbos_snap *snaps[5];
	unsigned long last = 0;
	struct dbos_snap_stats now;

	write_pages(100);
	make_scarce(40);
	for (unsigned long i = 0; i < 5; i++) {
		snaps[i] = create();
		write_pages(101 + i);
	}
	now = stats();
	check(now.dropped >= 1 && now.dropped <= 3 && now.live == 5 - now.dropped,
	      "%lu are dropped, %lu live", now.dropped, now.live);
	for (; last < now.dropped; last++)
		check_stale(snaps[last], snaps[4]);
	for (unsigned long i = last; i < 5; i++)
		check(word_of(snaps[i], 3) == 100 + i, "snapshot %lu shows %lu", i,
		      word_of(snaps[i], 3));
	/* A vCPU is on the oldest, so the next one goes. */
	check_ok(dbos_snap_run(snaps[last], write_until_one_goes, NULL, NULL));
	check(stats().dropped == now.dropped + 1, "%lu are dropped", stats().dropped);
	check(word_of(snaps[last], 3) == 100 + last, "it is spoilt");
	check_stale(snaps[last + 1], snaps[last]);
	for (unsigned long i = 0; i < 5; i++)
		check_ok(dbos_snap_release(snaps[i]));
	now = stats();
	check(now.live == 0 && now.kept == 0 && now.held == 0, "%lu live, %lu kept, %lu held",
	      now.live, now.kept, now.held);
	check(faults == 1, "the program gets a fault");
	make_plenty();
	printf("oldest: ok\n");
}

static void *write_without_frames(void *arg)
{
	make_scarce(0);
	generous = true;
	for (unsigned long i = 0; i < 64; i++)
		pages[i][3] = 9;
	generous = false;
	return arg;
}

/* What is in use is not dropped for anything. */
static void the_last_one_stays(void)
{
	struct dbos_snap *snap = create(), *child;
	uint64_t before = stats().dropped;

	check_ok(dbos_snap_run(snap, write_without_frames, NULL, NULL));
	check(faults > 1, "64 pages were copied from nowhere");
	/* Nor what a cut is made of. */
	make_scarce(0);
	check(dbos_snap_child(snap, 0, &child) == -ENOMEM, "a cut without frames");
	check(word_of(snap, 3) == pages[3][1] && stats().dropped == before, "it is dropped");
	check_ok(dbos_snap_release(snap));
	make_plenty();
	printf("last: ok\n");
}

/* A parent that is dropped is a node for its children: their bytes stay. */
static void children_stay(void)
{
	struct dbos_snap *parent, *child, *other;
	uint64_t before = stats().dropped;

	write_pages(50);
	parent = create();
	write_pages(51);
	check_ok(dbos_snap_child(parent, 0, &child));
	make_scarce(0);
	other = create();
	check(stats().dropped == before + 1 && stats().kept == 1, "%lu dropped, %lu kept",
	      stats().dropped - before, stats().kept);
	check_stale(parent, child);
	check(word_of(child, 3) == 50 && word_of(other, 3) == 51, "they show %lu, %lu",
	      word_of(child, 3), word_of(other, 3));
	check_ok(dbos_snap_release(parent));
	check(word_of(child, 3) == 50, "the child shows %lu", word_of(child, 3));
	check_ok(dbos_snap_release(child));
	check(stats().kept == 0, "%lu kept", stats().kept);
	check_ok(dbos_snap_release(other));
	make_plenty();
	printf("children: ok\n");
}

/* Of memory that is lent, no more is used, and had from the kernel, than copies take at once. */
static void lent_memory_is_used_last(void)
{
	static unsigned char resident[LENT];
	struct dbos_region *lent;
	struct dbos_region_info info;
	unsigned long used = 0;

	check_ok(dbos_region_create(dbos, NULL, LENT * PAGE, LENT * PAGE, DBOS_REGION_WRITABLE,
				    &lent));
	dbos_region_info(lent, &info);
	check(madvise(info.base, LENT * PAGE, MADV_NOHUGEPAGE) == 0, "madvise");
	check_ok(dbos_snap_lend(dbos, lent));
	for (uint64_t round = 0; round < LENT / WRITES; round++) {
		struct dbos_snap *snap = create();

		write_pages(100 + round);
		check_ok(dbos_snap_release(snap));
	}
	check(mincore(info.base, LENT * PAGE, resident) == 0, "mincore");
	for (unsigned long i = 0; i < LENT; i++)
		used += resident[i] & 1;
	check(used > 0 && used <= 4 * WRITES, "%lu pages are used", used);
	printf("lent: ok\n");
}

int main(void)
{
	struct dbos_region *region;
	struct dbos_region_info info;

	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(100);
	check_ok(dbos_init());
	dbos = dbos_instance();
	check(dbos_snap_policy(dbos, DBOS_SNAP_DROP_OLDEST) == -EINVAL, "without a member");
	check_ok(dbos_enter());
	memset(hoard, 1, sizeof(hoard));
	check_ok(dbos_region_create(dbos, NULL, PAGES * PAGE, PAGES * PAGE,
				    DBOS_REGION_WRITABLE | DBOS_REGION_HUGE, &region));
	dbos_region_info(region, &info);
	pages = info.base;
	check_ok(dbos_snap_add(dbos, region));
	check_ok(dbos_on_fault(dbos, (uintptr_t)pages, (uintptr_t)pages + PAGES * PAGE, on_fault,
			       NULL));
	errors_are_the_programs();
	check(dbos_snap_policy(dbos, DBOS_SNAP_DROP_OLDEST + 1) == -EINVAL, "another policy");
	check_ok(dbos_snap_policy(dbos, DBOS_SNAP_DROP_OLDEST));
	the_oldest_goes();
	the_last_one_stays();
	children_stay();
	lent_memory_is_used_last();
	check_ok(dbos_leave());
	printf("snapshot_pressure: ok\n");
	return 0;
}
