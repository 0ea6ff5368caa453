// SPDX-License-Identifier: BSD-2-Clause
/*
 * stores ROUNDS SEED: S12 and S13. A hash table and a B+-tree, each in a member of its own, are
 * written by one vCPU and by two, while this one takes snapshots of them, with each engine. A dump
 * of the stores from a snapshot must be, byte by byte, that of a model that has followed the log of
 * operations to the cut; at once, when the writers have gone on, and at the end. Every other cut is
 * between two operations, as a database would have it; the others are where they are, and the tree
 * must be good all the same. A line for each engine and number of writers, then "stores: ok".
 */
#include <sched.h>
#include <unistd.h>

#include "engines.h"
#include "stores.h"

#define SIZE	 (4ul << 20)
#define IN_FRONT (64ul << 10)	/* of the second 2 MiB: a store lies in both */
#define KEEP	 4		/* snapshots at once */
#define GO_ON	 100		/* operations between two looks */
#define NESTED	 8		/* every so many rounds */

struct heap *hash, *tree;

static struct dbos *dbos;
static struct random random_;
static struct model model;	/* as of the last cut, or later */
static struct taken taken[KEEP];

static struct heap *make_member(void)
{
	struct dbos_region *region;
	struct dbos_region_info info;

	check_ok(dbos_region_create(dbos, NULL, SIZE, SIZE,
				    DBOS_REGION_WRITABLE | DBOS_REGION_HUGE, &region));
	check_ok(dbos_snap_add(dbos, region));
	dbos_region_info(region, &info);
	return heap_init((char *)info.base + SIZE / 2 - IN_FRONT, SIZE / 2 + IN_FRONT);
}

static void *compare_here(void *arg)
{
	const struct taken *one = arg;

	compare_in_memory(tree_dump, tree, &one->model, "tree");
	if (!one->both)
		return NULL;
	compare_in_memory(hash_dump, hash, &one->model, "hash table");
	return NULL;
}

/* By the host, from where the records are (S5). */
static void *write_here(void *arg)
{
	const struct taken *one = arg;

	compare_in_file(tree_dump, tree, &one->model, "file of the tree");
	if (one->both)
		compare_in_file(hash_dump, hash, &one->model, "file of the hash table");
	return NULL;
}

void compare_taken(struct taken *one)
{
	check_ok(dbos_snap_run(one->snap, compare_here, one, NULL));
}

static void *sequence_here(void *arg)
{
	*(uint64_t *)arg = tree_sequence(tree);
	return NULL;
}

/* The tree says where it was cut; the hash table is good if that was between operations. */
static void take(struct taken *one, const struct engine *engine, bool between)
{
	uint64_t first, last, sequence;

	first = between ? writers_lock() : writers_done();
	check_ok(engine_create(engine, dbos, &one->snap));
	last = between ? first : writers_begun();
	if (between)
		writers_unlock();
	check_ok(dbos_snap_run(one->snap, sequence_here, &sequence, NULL));
	check(sequence >= first && sequence <= last, "cut between operations %lu and %lu: %lu",
	      first, last, sequence);
	one->both = between;
	model_follow(&model, sequence);
	one->model = model;
	compare_taken(one);
}

static void drop(struct taken *one)
{
	if (!one->snap)
		return;
	compare_taken(one);
	check_ok(dbos_snap_run(one->snap, write_here, one, NULL));
	check_ok(dbos_snap_release(one->snap));
	one->snap = NULL;
}

/* The next cut is behind what has been done. */
static void go_on(uint64_t operations)
{
	uint64_t before = writers_done(), until = before + operations;

	/* The last cut may have seen one that was not quite over. */
	if (model.sequence < before)
		model_follow(&model, before);
	while (writers_done() < until)
		sched_yield();
}

static void take_some(const struct engine *engine, unsigned int writers, uint64_t rounds)
{
	struct taken now = { .both = true };

	writers_begin(writers, draw(&random_, 1u << 30));
	go_on(KEYS);
	for (uint64_t i = 0; i < rounds; i++) {
		struct taken *one = &taken[draw(&random_, KEEP)];

		drop(one);
		take(one, engine, i % 2);
		go_on(GO_ON);
		compare_taken(one);
		if (i % NESTED == 1)
			nest(one, engine->flags, &random_);
	}
	writers_end();
	for (unsigned int i = 0; i < KEEP; i++)
		drop(&taken[i]);
	model_follow(&model, writers_done());
	now.model = model;
	compare_here(&now);
	write_here(&now);
	printf("%s, %u: ok\n", engine->name, writers);
}

int main(int argc, char **argv)
{
	check(argc == 3, "stores ROUNDS SEED");
	setvbuf(stdout, NULL, _IOLBF, 0);
	random_.state = strtoul(argv[2], NULL, 0);
	check_ok(dbos_init());
	dbos = dbos_instance();
	check_ok(dbos_enter());
	hash = make_member();
	tree = make_member();
	hash_create(hash);
	tree_create(tree);
	for (unsigned int i = 0; i < ENGINES; i++) {
		for (unsigned int writers = 1; writers <= 2; writers++)
			take_some(&engines[i], writers, strtoul(argv[1], NULL, 0));
	}
	check_ok(dbos_leave());
	printf("stores: ok\n");
	return 0;
}
