// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshots [ROUNDS]: snapshots on real vCPUs, by the oracles of the model in small. Each step
 * prints its name, with one engine after the other; the last line is "snapshots: ok". A
 * wait that has no end is one of the failures: the alarm ends it.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "member.h"
#include "snapshots.h"

struct dbos *dbos;
uint64_t rounds = 100;
uint64_t (*pages)[WORDS];
unsigned int flags;

struct dbos_snap *create(void)
{
	struct dbos_snap *snap;

	if (flags & DBOS_SNAP_INSTANT)
		check_ok(dbos_snap_prepare(dbos, 2));
	check_ok(dbos_snap_create(dbos, flags, &snap));
	return snap;
}

uint64_t word_of(struct dbos_snap *snap, unsigned long page, unsigned long word)
{
	uint64_t value;

	check_ok(dbos_snap_read(snap, &pages[page][word], &value, sizeof(value)));
	return value;
}

/* A copy-on-write fault is not the program's. */
static enum dbos_verdict no_fault(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)arg;
	(void)tf;
	check(false, "the program gets a fault at %#lx, %#lx", va, fec);
	return DBOS_NEXT;
}

static void all_steps(void)
{
	a_snapshot_keeps_what_was_there();
	a_cut_is_one_moment();
	what_the_host_writes_is_cut_too();
	calls_on_a_snapshot_take_its_bytes();
	the_process_writes_what_it_has();
	a_large_buffer_is_written();
	snapshots_make_a_tree();
	a_difference_is_what_was_written();
	one_copy_for_two_writers();
	pages_beside_members_are_common();
	memory_stays_flat();
	pages_come_home();
	the_process_pages_stay();
}

static void errors(struct dbos_region *region)
{
	struct dbos_snap *snap = create();

	check(dbos_snap_add(dbos, region) == -EEXIST, "a member twice");
	check(dbos_region_destroy(region) == -EBUSY, "a member is destroyed");
	check_ok(dbos_snap_attach(snap));
	check(dbos_snap_attach(snap) == -EBUSY, "on two at once");
	check(dbos_leave() == -EBUSY, "left from a snapshot");
	check(dbos_snap_release(snap) == -EBUSY, "released with somebody on it");
	check_ok(dbos_snap_detach(dbos));
	check(dbos_snap_detach(dbos) == -EINVAL, "detached twice");
	check_ok(dbos_snap_release(snap));
	check(dbos_snap_create(dbos, 1u << 31, &snap) == -EINVAL, "an unknown flag");
	printf("errors: ok\n");
}

static void *snapshot_from_outside(void *arg)
{
	struct dbos_snap *snap = create();
	uint64_t before = word_of(snap, 5, 5);

	check(dbos_snap_attach(snap) == -EINVAL, "attached outside");
	check(word_of(snap, 5, 5) == before, "it has changed");
	check_ok(dbos_snap_release(snap));
	return arg;
}

/* Which is no vCPU. */
static void a_thread_outside(void)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, snapshot_from_outside, NULL) == 0, "pthread_create");
	check(pthread_join(thread, NULL) == 0, "pthread_join");
	printf("outside: ok\n");
}

int main(int argc, char **argv)
{
	struct dbos_region *region;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 0);
	alarm(60);
	pages = enter_with_member(PAGES * PAGE, &region);
	dbos = dbos_instance();
	parts_become_members();
	check_ok(dbos_on_fault(dbos, (uintptr_t)pages, (uintptr_t)pages + PAGES * PAGE, no_fault,
			       NULL));
	errors(region);
	a_thread_outside();
	all_steps();
	flags = DBOS_SNAP_EPOCH;
	all_steps();
	flags = DBOS_SNAP_INSTANT;
	tables_are_ready();
	all_steps();
	check_ok(dbos_snap_prepare(dbos, 0));
	check_ok(dbos_leave());
	printf("snapshots: ok\n");
	return 0;
}
