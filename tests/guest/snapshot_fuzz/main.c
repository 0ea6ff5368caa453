// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_fuzz SEED OPERATIONS: S17. Three threads, inside and out, do so many operations each, at
 * random: they make, look at, write to, compare and release the same snapshots, of the process and
 * of snapshots, make and destroy and grow other regions, enter, leave, and start threads. What each
 * wrote must be in its snapshots as it was, and stay (S1, S2, S13, S14); and no operation may take
 * long. The seed gives what each thread does; how they meet is the machine's.
 */
#include <pthread.h>
#include <unistd.h>

#include "fuzz.h"

struct dbos *dbos;
uint64_t (*pages)[WORDS];

static uint64_t each;

unsigned int draw(struct worker *worker, unsigned int below)
{
	worker->state = worker->state * 6364136223846793005ull + 1442695040888963407ull;
	return (worker->state >> 33) % below;
}

static unsigned int draw_operation(struct worker *worker)
{
	unsigned int sum = 0, drawn, i = 0;

	for (unsigned int k = 0; k < operation_count; k++)
		sum += operations[k].weight;
	drawn = draw(worker, sum);
	while (drawn >= operations[i].weight)
		drawn -= operations[i++].weight;
	return i;
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (uint64_t done = 0; done < each;)
		done += watched_run(worker, draw_operation(worker));
	if (worker->inside)
		check_ok(dbos_leave());
	if (worker->growing)
		check_ok(dbos_region_destroy(worker->growing));
	return NULL;
}

/* What is left goes, and nothing stays. */
static void release_all(void)
{
	struct worker nobody = { .state = 1 };
	struct dbos_snap_stats stats;
	struct slot *slot;

	while ((slot = slot_take(&nobody, true, true))) {
		slot_examine(slot);
		check_ok(dbos_snap_release(slot->snap));
		slot->snap = NULL;
		slot_give_back(slot);
	}
	check_ok(dbos_snap_stats(dbos, &stats));
	check(stats.created == stats.released && !stats.kept, "%lu made, %lu released, %lu kept",
	      stats.created, stats.released, stats.kept);
}

static void make_member(void)
{
	struct dbos_region *region;
	struct dbos_region_info info;

	check_ok(dbos_region_create(dbos, NULL, PAGES * PAGE, PAGES * PAGE,
				    DBOS_REGION_WRITABLE | DBOS_REGION_HUGE, &region));
	dbos_region_info(region, &info);
	pages = info.base;
	check_ok(dbos_snap_add(dbos, region));
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS];
	pthread_t threads[THREADS];

	check(argc == 3, "snapshot_fuzz SEED OPERATIONS");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed %s\n", argv[1]);
	each = strtoul(argv[2], NULL, 0);
	check_ok(dbos_init());
	dbos = dbos_instance();
	make_member();
	watchdog_begin();
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .number = i,
					      .state = strtoul(argv[1], NULL, 0) * THREADS + i };
		check(pthread_create(&threads[i], NULL, work, &workers[i]) == 0, "pthread_create");
	}
	for (unsigned int i = 0; i < THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0, "pthread_join");
	watchdog_end();
	release_all();
	print_counts();
	printf("fuzz: ok\n");
	return 0;
}
