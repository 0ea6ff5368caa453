// SPDX-License-Identifier: BSD-2-Clause
/* What there are snapshots of, and who is at it: see snappy.h. */
#include <errno.h>

#include "snappy/engine.h"

static bool moves(const void *arg, uint64_t va, uint64_t length)
{
	return snappy_touches(arg, va, length);
}

static bool owns(const void *arg, uint64_t va, uint64_t length)
{
	return snappy_has_members(arg, va, length);
}

void snappy_init(struct snappy *snappy, struct table *table, struct inflights *inflights,
		 struct life *pool_lives)
{
	struct frames *pool = table->frames;

	snappy->cpus = table->cpus;
	snappy->pool = pool;
	snappy->inflights = inflights;
	snappy->engine = &lazy_engine;
	snappy->epoch = FIRST_EPOCH;
	snappy->step = RELEASE_STEP;
	snappy->own.table = *table;
	table->copies = &snappy->branches;
	snappy->lives.extent[0] = (struct lives_extent){
		.gpa = pool->gpa, .count = pool->count, .life = pool_lives,
		.inside = pool->memory, .outside = pool->memory,
	};
	snappy->lives.count = 1;
	snappy->resting_unreached = &snappy->resting;
	inflights->arg = snappy;
	inflights->ended = snappy_calls_ended;
	inflights->moves = moves;
	inflights->owns = owns;
}

#define LOCKED_OUTSIDE CPUS_MAX

static void wait_for_lock(struct snappy *snappy, struct cpu *self, uint64_t mine)
{
	uint64_t held = 0;

	machine_add(&snappy->lock_waiters, 1);
	while (!machine_cas(&snappy->lock, &held, mine)) {
		held = 0;
		if (self)
			cpu_serve(snappy->cpus, self);
		machine_pause();
	}
	machine_add(&snappy->lock_waiters, -1ull);
}

int snappy_lock(struct snappy *snappy)
{
	struct cpu *self = cpus_self(snappy->cpus);
	uint64_t held = 0, mine = self ? cpus_number(snappy->cpus, self) : LOCKED_OUTSIDE;

	mine++;
	if (world_is_stopped_by(snappy->cpus, self) || (self && self->calls.running))
		return -EDEADLK;
	if (self && machine_load(&snappy->lock) == mine)
		return -EDEADLK;
	if (!machine_cas(&snappy->lock, &held, mine))
		wait_for_lock(snappy, self, mine);
	machine_store(&snappy->turns, snappy->turns + 1);
	return 0;
}

void snappy_unlock(struct snappy *snappy)
{
	machine_store(&snappy->lock, 0);
}

/* How long the one who comes again waits for others, who may not be running. */
#define PATIENCE 1000

void snappy_lock_again(struct snappy *snappy)
{
	struct cpu *self = cpus_self(snappy->cpus);
	uint64_t turns = snappy->turns;

	snappy_unlock(snappy);
	for (unsigned int i = 0; i < PATIENCE; i++) {
		if (!machine_load(&snappy->lock_waiters) || machine_load(&snappy->turns) != turns)
			break;
		if (self)
			cpu_serve(snappy->cpus, self);
		machine_pause();
	}
	snappy_lock(snappy);
}

bool snappy_attach(struct snappy *snappy, struct branch *branch)
{
	uint64_t irqs = machine_irqs_off();
	struct cpu *self = cpus_self(snappy->cpus);

	if (!branch_enter(branch)) {
		machine_irqs_restore(irqs);
		return false;
	}
	snappy->on[cpus_number(snappy->cpus, self)] = branch;
	tlb_load_root(snappy->cpus, branch_root(branch), branch->table.root);
	machine_irqs_restore(irqs);
	return true;
}

/* The TLB is empty when the last user is seen to go. */
void snappy_detach(struct snappy *snappy)
{
	uint64_t irqs = machine_irqs_off();
	struct cpu *self = cpus_self(snappy->cpus);
	struct branch **on = &snappy->on[cpus_number(snappy->cpus, self)];
	struct branch *branch = *on;

	*on = NULL;
	tlb_load_root(snappy->cpus, branch_root(&snappy->own), snappy->own.table.root);
	branch_leave(branch);
	machine_irqs_restore(irqs);
}

struct branch *snappy_here(struct snappy *snappy)
{
	struct cpu *self = cpus_self(snappy->cpus);

	/* Whoever had the number before may have ended where he was. */
	if (!self || !self->root)
		return &snappy->own;
	return snappy->on[cpus_number(snappy->cpus, self)];
}
