// SPDX-License-Identifier: BSD-2-Clause
/*
 * tabby-test KIND TEST SEED: the tree on a small pool of KIND, "hash" or "madvise", whose disk is
 * in memory; so it evicts all the time.
 *
 *	single	one thread does at random all that can be done, against the oracle
 *	threads	four do, each with keys of its own; the others' they only read
 *	errors	as single, while transfers fail
 *	full	as single, in stores of all sizes that are too small, from the least one on
 *	races	one thread, interrupted by another's steps wherever the tree allows for that
 *	reopen	closes and opens the store now and then
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/steps.h"

#define PAGES	65536
#define STEPS	60000
#define THREADS 4

void (*race_hook)(void);

static struct dbos_pool *open_pool(struct test *test, uint64_t pages, unsigned int flags)
{
	struct dbos_pool_config config = {
		.kind = test->kind, .pages = pages, .frames = test->frames, .batch = 8,
		.flags = flags, .device = &test->disk.device,
	};
	struct dbos_pool *pool;
	int err = dbos_pool_open(&config, &pool);

	if (err)
		fail("open: %s", strerror(-err));
	return pool;
}

static void single(struct test *test)
{
	steps(test, &(struct walker){ .random = test->seed, .stride = 1 }, STEPS);
	oracle_compare(&test->oracle, &test->tree);
}

static void *run_walker(void *arg)
{
	struct walker *walker = arg;

	steps(walker->test, walker, STEPS);
	return NULL;
}

static void threads(struct test *test)
{
	struct walker walker[THREADS];
	pthread_t thread[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		walker[i] = (struct walker){
			.test = test, .random = test->seed + 7919 * i,
			.first = i, .stride = THREADS,
		};
		if (pthread_create(&thread[i], NULL, run_walker, &walker[i]))
			fail("no thread");
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	oracle_compare(&test->oracle, &test->tree);
}

/* A pin that leaked would keep the pool from being so small, or from being written. */
static void check_nothing_pinned(struct test *test)
{
	struct dbos_pool *pool = test->tree.pool;
	int err = dbos_pool_flush(pool);

	if (err)
		fail("flush: %s", strerror(-err));
	err = dbos_pool_resize(pool, 8);
	if (err)
		fail("resize: %s", strerror(-err));
	oracle_compare(&test->oracle, &test->tree);
	err = dbos_pool_resize(pool, test->frames);
	if (err)
		fail("resize back: %s", strerror(-err));
}

static void errors(struct test *test)
{
	struct walker walker = { .random = test->seed, .stride = 1, .may_fail = true };

	for (unsigned int round = 0; round < 10; round++) {
		test->disk.one_in = 2 + round * round * 4;
		steps(test, &walker, STEPS / 10);
		test->disk.one_in = 0;
		oracle_compare(&test->oracle, &test->tree);
		check_nothing_pinned(test);
	}
	if (test->disk.failed < 500 || walker.failures < 500)
		fail("only %u transfers failed, and %lu steps", test->disk.failed, walker.failures);
}

static void empty(struct test *test);

static void full(struct test *test)
{
	struct walker walker = { .random = test->seed, .stride = 1, .may_fail = true };

	for (uint64_t pages = 2; pages < 512; pages += pages / 16 + 1) {
		uint64_t failures = walker.failures;
		int err;

		dbos_pool_abandon(test->tree.pool);
		err = tree_create(open_pool(test, pages, DBOS_POOL_FORMAT), &test->tree);
		if (err)
			fail("create: %s", strerror(-err));
		steps(test, &walker, STEPS / 20);
		check_nothing_pinned(test);
		if (pages < 64 && walker.failures == failures)
			fail("%lu pages were enough", pages);
		empty(test);
	}
}

/* What comes in between: a step of this walker's, and no race within it. */
static struct walker intruder;
static uint64_t intrusions;

static void intrude(void)
{
	if (next_random(&intruder.random) >> 32 & 7)
		return;
	race_hook = NULL;
	steps(intruder.test, &intruder, 1 + intrusions++ % 3);
	race_hook = intrude;
}

static void races(struct test *test)
{
	struct walker walker = { .random = test->seed, .first = 0, .stride = 2 };

	intruder = (struct walker){
		.test = test, .random = ~test->seed, .first = 1, .stride = 2,
	};
	race_hook = intrude;
	steps(test, &walker, 4 * STEPS);
	race_hook = NULL;
	oracle_compare(&test->oracle, &test->tree);
	if (intrusions < STEPS / 8)
		fail("only %lu intrusions", intrusions);
}

static void reopen(struct test *test)
{
	struct walker walker = { .random = test->seed, .stride = 1 };

	for (unsigned int round = 0; round < 8; round++) {
		int err;

		steps(test, &walker, STEPS / 8);
		err = dbos_pool_close(test->tree.pool);
		if (err)
			fail("close: %s", strerror(-err));
		test->tree.pool = open_pool(test, PAGES, 0);
		oracle_compare(&test->oracle, &test->tree);
	}
}

/* All keys go; then the tree is one empty page, whatever it was. */
static void empty(struct test *test)
{
	struct dbos_pool_read root;

	for (unsigned int rank = 0; rank < test->oracle.count; rank++) {
		int err = tree_remove(&test->tree, key_of(&test->oracle.key[rank]));

		if (err != (test->oracle.version[rank] ? 0 : -ENOENT))
			fail("removal of key %u: %s", rank, strerror(-err));
		test->oracle.version[rank] = 0;
	}
	oracle_compare(&test->oracle, &test->tree);
	if (dbos_pool_read(test->tree.pool, test->tree.root, &root) ||
	    node_level(root.content) || node_count(root.content))
		fail("a tree without keys has more than its root");
}

static const struct {
	const char *name;
	void (*run)(struct test *test);
	unsigned int keys, tide, frames;
} tests[] = {
	{ "single", single, 12000, 8000, 64 },
	{ "threads", threads, 12000, 8000, 64 },
	{ "errors", errors, 12000, 8000, 64 },
	/* Rising all the time: else what is inserted by then fits. */
	{ "full", full, 12000, 10000000, 64 },
	/* So few that what comes in between is often in the same nodes, and splits them. */
	{ "races", races, 600, 1500, 12 },
	{ "reopen", reopen, 12000, 8000, 64 },
};

static void run(struct test *test, unsigned int keys, void (*body)(struct test *test))
{
	struct dbos_pool_stats stats;
	int err;

	disk_make(&test->disk, PAGES + 1);
	test->oracle = oracle_make(keys);
	err = tree_create(open_pool(test, PAGES, DBOS_POOL_FORMAT), &test->tree);
	if (err)
		fail("create: %s", strerror(-err));
	body(test);
	empty(test);
	dbos_pool_stats(test->tree.pool, &stats);
	printf("ok: %lu evictions, %lu pages read, %lu written, %u transfers failed\n",
	       stats.evictions, stats.reads, stats.writes, test->disk.failed);
	if (!stats.evictions)
		fail("nothing was evicted");
	err = dbos_pool_close(test->tree.pool);
	if (err)
		fail("close: %s", strerror(-err));
	oracle_free(&test->oracle);
	disk_free(&test->disk);
}

int main(int argc, char **argv)
{
	static struct test test;

	if (argc != 4)
		fail("usage: tabby-test hash|madvise TEST SEED");
	test.kind = strcmp(argv[1], "hash") ? DBOS_POOL_MADVISE : DBOS_POOL_HASH;
	test.seed = strtoull(argv[3], NULL, 0) | 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (strcmp(argv[2], tests[i].name))
			continue;
		test.tide = tests[i].tide;
		test.frames = tests[i].frames;
		run(&test, tests[i].keys, tests[i].run);
		return 0;
	}
	fail("there is no test %s", argv[2]);
}
