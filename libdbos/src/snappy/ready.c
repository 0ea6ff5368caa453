// SPDX-License-Identifier: BSD-2-Clause
/*
 * Ready tables are made while the process runs. Who fills one and who mirrors a change go for the
 * same entry, in this order:
 *
 *	filler				fault of the process
 *	hangs the table in		changes the entry
 *	(begin_walk)			(its flush)
 *	reads the process's entry	looks whether the table is there
 *	puts it there, if 0 is		puts it there
 *
 * So either the fault sees the table, or the filler sees the change: a thread outside has a locked
 * instruction in between, and on a vCPU the flush waits until it is through with 2 MiB. Where the
 * filler has read what was there before, the fault's store comes later than its, or its
 * compare-and-swap fails.
 */
#include <errno.h>
#include <string.h>

#include "snappy/engine.h"

static uint64_t *entries_of(const struct snappy *snappy, uint64_t entry)
{
	return frames_memory(snappy->pool, entry & DBOS_PTE_ADDR);
}

struct ready *ready_full(struct snappy *snappy)
{
	for (unsigned int i = 0; i < READY_MAX; i++) {
		if (machine_load(&snappy->ready[i].state) == READY_FULL)
			return &snappy->ready[i];
	}
	return NULL;
}

void ready_mirror(struct snappy *snappy, uint64_t va, uint64_t entry)
{
	if (!machine_load(&snappy->ready_count))
		return;
	for (unsigned int i = 0; i < READY_MAX; i++) {
		struct ready *ready = &snappy->ready[i];
		uint64_t table;

		if (machine_load(&ready->state) == READY_NONE)
			continue;
		table = machine_load(snappy_pde(snappy, &ready->branch, va));
		if (!table)
			continue;
		machine_store(&entries_of(snappy, table)[va / FRAME_SIZE % TABLE_ENTRIES],
			      entry & ~(DBOS_PTE_W | DBOS_PTE_LOCK));
		machine_add(&snappy->counters.mirrored, 1);
	}
}

/*
 * What the process's table for 2 MiB is may be replaced by a copy meanwhile, and is not used again
 * while a vCPU has interrupts off. A thread outside has releases kept away: then a snapshot holds
 * it, unless its last one was gone already when that fault began. So it waits for such faults.
 */
static uint64_t begin_walk(struct snappy *snappy)
{
	if (machine_cpu() == MACHINE_NO_CPU)
		tlb_flush(snappy->cpus, 0, 1, TLB_SYNC);
	return machine_irqs_off();
}

/* What is no member's has the rights that it has everywhere. */
static void fill(struct snappy *snappy, uint64_t *entries, uint64_t from, uint64_t range)
{
	const uint64_t *source = entry_is_table(from) ? entries_of(snappy, from) : NULL;
	uint64_t flags = from & ~(DBOS_PTE_ADDR | DBOS_PTE_PS);
	struct span span = { 0, 0 };

	for (uint64_t i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t entry = source ? machine_load(&source[i]) :
			((from & DBOS_PTE_ADDR) + i * FRAME_SIZE) | flags, nothing = 0;

		while (i >= span.end && snappy_next_span(snappy, range, &span))
			;
		if (i >= span.first && i < span.end)
			entry &= ~DBOS_PTE_W;
		if (entry & DBOS_PTE_P)
			machine_cas(&entries[i], &nothing, entry & ~DBOS_PTE_LOCK);
	}
}

static int make_range(struct snappy *snappy, struct branch *branch, uint64_t va)
{
	uint64_t *word = snappy_pde(snappy, &snappy->own, va), gpa, irqs;
	struct life *life;

	if (!(machine_load(word) & DBOS_PTE_P))
		return 0;
	gpa = snappy_new_table(snappy, 1, 0);
	if (!gpa)
		return -ENOMEM;
	life = life_of(&snappy->lives, gpa);
	*life = (struct life){ .next = branch->tables, .frame = gpa | 1 };
	branch->tables = life;
	memset(entries_of(snappy, gpa), 0, FRAME_SIZE);
	machine_store(snappy_pde(snappy, branch, va), gpa | ENTRY_TABLE);
	irqs = begin_walk(snappy);
	fill(snappy, entries_of(snappy, gpa), machine_load(word), va);
	machine_irqs_restore(irqs);
	return 0;
}

/* For cuts and releases: we have had the lock, so we may wait for it. */
static void let_others(struct snappy *snappy)
{
	snappy_unlock(snappy);
	(void)snappy_lock(snappy);
}

static int make_ranges(struct snappy *snappy, struct branch *branch)
{
	int ret = 0;

	for (uint64_t i = 0; !ret && i < snappy->run_count; i++) {
		const struct member *run = &snappy->run[i];

		/* The cut makes them: share_run(). */
		if (run->kept)
			continue;
		for (uint64_t va = run->va; !ret && va < run->end; va += SNAPPY_RANGE) {
			ret = make_range(snappy, branch, va);
			let_others(snappy);
		}
	}
	return ret;
}

/* Whoever mirrors has interrupts off: behind a flush, nobody does. */
static void unmake(struct snappy *snappy, struct ready *ready)
{
	machine_store(&ready->state, READY_NONE);
	machine_add(&snappy->ready_count, -1ull);
	tlb_flush(snappy->cpus, 0, 1, TLB_SYNC);
	snappy_free_lives(snappy, ready->branch.tables);
	snappy_free_root(snappy, &ready->branch);
	machine_add(&snappy->branches, -1ull);
}

/* Its page directories are copies of the process's, where leaf tables are the process's yet. */
static void clear_members(struct snappy *snappy, const struct branch *branch)
{
	for (uint64_t i = 0; i < snappy->run_count; i++) {
		const struct member *run = &snappy->run[i];

		for (uint64_t va = run->va; va < run->end; va += SNAPPY_RANGE)
			*snappy_pde(snappy, branch, va) = 0;
	}
}

/*
 * Tables of the process must not collapse from now on. Whoever is at it has interrupts off, as far
 * as he is a vCPU.
 */
static int make(struct snappy *snappy, struct ready *ready)
{
	int ret;

	machine_add(&snappy->branches, 1);
	tlb_flush(snappy->cpus, 0, 1, TLB_SYNC);
	ready->branch = (struct branch){ 0 };
	ret = snappy_copy_root(snappy, &snappy->own, &ready->branch);
	if (ret) {
		machine_add(&snappy->branches, -1ull);
		return ret;
	}
	clear_members(snappy, &ready->branch);
	machine_store(&ready->state, READY_FILLING);
	machine_add(&snappy->ready_count, 1);
	ret = make_ranges(snappy, &ready->branch);
	if (ret)
		unmake(snappy, ready);
	else
		machine_store(&ready->state, READY_FULL);
	return ret;
}

static struct ready *ready_none(struct snappy *snappy)
{
	struct ready *ready = snappy->ready;

	while (ready->state != READY_NONE)
		ready++;
	return ready;
}

/* What others are making meanwhile counts. */
int snappy_prepare(struct snappy *snappy, unsigned int count)
{
	struct ready *ready;
	int ret = snappy_lock(snappy);

	if (ret)
		return ret;
	if (count > READY_MAX || !snappy->member_count)
		ret = -EINVAL;
	while (!ret && snappy->ready_count < count)
		ret = make(snappy, ready_none(snappy));
	while (!ret && snappy->ready_count > count && (ready = ready_full(snappy)))
		unmake(snappy, ready);
	snappy_unlock(snappy);
	return ret;
}
