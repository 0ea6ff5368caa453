// SPDX-License-Identifier: BSD-2-Clause
/* What there are snapshots of, and who is at it: see snappy.h. */
#include <errno.h>

#include "snappy/engine.h"

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
	snappy->resting_end = &snappy->resting;
	inflights->arg = snappy;
	inflights->ended = snappy_calls_ended;
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

/* Members do not come while others look, but while there are no snapshots to fault for. */
bool snappy_is_member(const struct snappy *snappy, uint64_t va)
{
	uint64_t lo = 0, hi = machine_load(&snappy->member_count);

	while (lo < hi) {
		uint64_t middle = (lo + hi) / 2;

		if (va >= snappy->member[middle].end)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo < machine_load(&snappy->member_count) && va >= snappy->member[lo].va;
}

/*
 * Down to entries of 2 MiB. Tables that are there already are the process's own, as of now.
 */
static int prepare(struct snappy *snappy, uint64_t va, uint64_t end)
{
	for (; va < end; va += SNAPPY_RANGE) {
		struct table_entry entry;
		int ret = table_lock(&snappy->own.table, va, 2, &entry);
		uint64_t pde;

		if (!ret)
			table_unlock(&entry, entry.value);
		else if (ret != -EEXIST)
			return ret;
		pde = machine_load(snappy_pde(snappy, &snappy->own, va));
		if (entry_is_table(pde))
			machine_store(&life_of(&snappy->lives, pde & DBOS_PTE_ADDR)->birth,
				      snappy->epoch);
	}
	return 0;
}

int snappy_add_member(struct snappy *snappy, uint64_t va, const struct lives_extent *memory)
{
	uint64_t end = va + memory->count * FRAME_SIZE, at = snappy->member_count;
	int ret;

	if ((va | end) % SNAPPY_RANGE || va == end)
		return -EINVAL;
	if (snappy->branches)
		return -EBUSY;
	if (snappy->member_count == SNAPPY_MEMBERS)
		return -ENOSPC;
	for (uint64_t i = 0; i < snappy->member_count; i++) {
		if (va < snappy->member[i].end && snappy->member[i].va < end)
			return -EEXIST;
	}
	ret = prepare(snappy, va, end);
	if (ret)
		return ret;
	for (uint64_t i = 0; i < memory->count; i++)
		memory->life[i] = (struct life){
			.birth = snappy->epoch, .frame = va + i * FRAME_SIZE,
		};
	snappy->lives.extent[snappy->lives.count] = *memory;
	machine_store(&snappy->lives.count, snappy->lives.count + 1);
	for (; at > 0 && snappy->member[at - 1].va > va; at--)
		snappy->member[at] = snappy->member[at - 1];
	snappy->member[at] = (struct member){ va, end, memory->gpa };
	machine_store(&snappy->member_count, snappy->member_count + 1);
	return 0;
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
	self->root = branch->table.root;
	machine_load_root(branch->table.root);
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
	self->root = 0;
	machine_load_root(snappy->own.table.root);
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
