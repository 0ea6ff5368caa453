// SPDX-License-Identifier: BSD-2-Clause
/* Many snapshots at once, of one another, and what becomes of their memory. */
#include "snapshots.h"

/* S13: a tree of snapshots, each with an array that says what it has to be. */
#define NODES 12
#define TREE  40	/* pages, far from one another */

static struct node {
	struct dbos_snap *snap;		/* NULL: the process's own, or none */
	uint64_t has[TREE];
} nodes[NODES];

static uint64_t seed = 1;

static unsigned int draw(unsigned int below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % below;
}

static uint64_t *tree_word(unsigned int i)
{
	return &pages[i * 25 % PAGES][40];
}

static void *write_some(void *arg)
{
	struct node *node = arg;

	for (unsigned int i = draw(6); i > 0; i--) {
		unsigned int at = draw(TREE);

		node->has[at] = seed;
		*tree_word(at) = seed;
	}
	for (unsigned int i = 0; i < TREE; i++)
		check(*tree_word(i) == node->has[i], "word %u of node %ld is %#lx, not %#lx", i,
		      node - nodes, *tree_word(i), node->has[i]);
	return NULL;
}

static void grow_or_prune(void)
{
	unsigned int at = 1 + draw(NODES - 1), from = draw(NODES);

	if (nodes[at].snap) {
		check_ok(dbos_snap_release(nodes[at].snap));
		nodes[at].snap = NULL;
		return;
	}
	if (from && !nodes[from].snap)
		from = 0;
	if (from)
		check_ok(dbos_snap_child(nodes[from].snap, flags, &nodes[at].snap));
	else
		nodes[at].snap = create();
	memcpy(nodes[at].has, nodes[from].has, sizeof(nodes[at].has));
}

void snapshots_make_a_tree(void)
{
	for (unsigned int i = 0; i < TREE; i++)
		nodes[0].has[i] = *tree_word(i);
	for (uint64_t i = 0; i < rounds * 4; i++) {
		unsigned int at = draw(NODES);

		grow_or_prune();
		if (!at)
			write_some(&nodes[0]);
		else if (nodes[at].snap)
			check_ok(dbos_snap_run(nodes[at].snap, write_some, &nodes[at], NULL));
	}
	for (unsigned int i = 1; i < NODES; i++) {
		if (nodes[i].snap)
			check_ok(dbos_snap_release(nodes[i].snap));
		nodes[i].snap = NULL;
	}
	printf("tree: ok\n");
}

static int mark(void *arg, const void *va, size_t length)
{
	bool *differs = arg;
	unsigned long first = ((uintptr_t)va - (uintptr_t)pages) / PAGE;

	for (unsigned long i = 0; i < length / PAGE; i++)
		differs[first + i] = true;
	return 0;
}

/* S14 */
void a_difference_is_what_was_written(void)
{
	static bool differs[PAGES];
	struct dbos_snap *a = create(), *b;

	memset(differs, 0, sizeof(differs));
	for (unsigned long i = 0; i < PAGES; i += 100)
		pages[i][7]++;
	b = create();
	check_ok(dbos_snap_diff(a, b, mark, differs));
	for (unsigned long i = 0; i < PAGES; i++)
		check(differs[i] == (i % 100 == 0), "page %lu differs: %d", i, differs[i]);
	check_ok(dbos_snap_release(a));
	check_ok(dbos_snap_release(b));
	printf("difference: ok\n");
}

/* S10, S11: an old one that stays, and many new ones, of which each page is written. */
void memory_stays_flat(void)
{
	struct dbos_snap *old = create();
	struct dbos_snap_stats stats;
	uint64_t first = 0, last = 0;

	for (uint64_t i = 0; i < rounds * 3; i++) {
		struct dbos_snap *snap = create();

		for (unsigned long page = 0; page < 64; page++)
			pages[page * 16][300] = i;
		check_ok(dbos_snap_release(snap));
		/* The frame that is handed out next: from a pool that does not grow. */
		last = dbos_frame_alloc(dbos);
		dbos_frame_free(dbos, last);
		if (i == rounds)
			first = last;
		if (i > rounds && last > first)
			first = last;
	}
	check_ok(dbos_snap_stats(dbos, &stats));
	check(stats.kept == 0, "%lu released snapshots are kept", stats.kept);
	check_ok(dbos_snap_release(old));
	printf("flat: ok\n");
}
