// SPDX-License-Identifier: BSD-2-Clause
/* Snapshots of snapshots (S13), each with operations of its own. */
#include "stores.h"

#define GENERATIONS 4
#define OPERATIONS  40

/* Of these nobody else has any. */
static uint64_t private_sequence = 1ull << 40;

struct work {
	struct taken *taken;
	struct random *random;
};

static void *operate_privately(void *arg)
{
	struct work *work = arg;

	for (unsigned int i = 0; i < OPERATIONS; i++) {
		uint64_t key = draw(work->random, KEYS), sequence = ++private_sequence;
		bool put = draw(work->random, 4);

		operate(sequence, key, put);
		model_apply(&work->taken->model, sequence, key, put);
	}
	return NULL;
}

static void change(struct taken *taken, struct random *random)
{
	struct work work = { taken, random };

	check_ok(dbos_snap_run(taken->snap, operate_privately, &work, NULL));
}

static void release(struct taken *taken)
{
	if (!taken->snap)
		return;
	compare_taken(taken);
	check_ok(dbos_snap_release(taken->snap));
	taken->snap = NULL;
}

/* The eldest goes on being the caller's. Some go before those that have been made of them. */
void nest(struct taken *taken, unsigned int flags, struct random *random)
{
	static struct taken line[GENERATIONS];
	struct taken *parent = taken;

	check(taken->both, "a snapshot in the middle of an operation");
	for (unsigned int i = 0; i < GENERATIONS; i++) {
		struct taken *child = &line[i];

		change(parent, random);
		*child = *parent;
		check_ok(dbos_snap_child(parent->snap, flags, &child->snap));
		change(parent, random);
		change(child, random);
		compare_taken(parent);
		compare_taken(child);
		if (parent != taken && draw(random, 2))
			release(parent);
		parent = child;
	}
	compare_taken(taken);
	for (unsigned int i = draw(random, GENERATIONS), n = 0; n < GENERATIONS; n++)
		release(&line[(i + n) % GENERATIONS]);
}
