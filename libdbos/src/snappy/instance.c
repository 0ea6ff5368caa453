// SPDX-License-Identifier: BSD-2-Clause
/* What a process needs before its first snapshot. */
#include <sys/mman.h>

#include "mm/cover.h"
#include "snappy/instance.h"
#include "snappy/stats.h"

void *map_covered(struct dbos *dbos, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (cover(dbos, (uint64_t)memory, size)) {
		munmap(memory, size);
		return NULL;
	}
	return memory;
}

/* Pages that one fault makes writable at most: interrupts are off meanwhile. */
#define CALL_PAGES 512

/*
 * A system call that wants to write there is looked up anew after each fault, so that it gets its
 * other pages at once.
 */
static void break_for_call(struct snappy *snappy, struct branch *here, uint64_t va)
{
	struct vcpu *vcpu = dbos_instance()->doorbells[machine_cpu()].vcpu;
	uint64_t end = va + vcpu->refused_length;

	if (vcpu->refused_va != va)
		return;
	vcpu->refused_va = 0;
	va = (va & DBOS_PTE_ADDR) + FRAME_SIZE;
	for (unsigned int i = 1; i < CALL_PAGES && va < end; i++, va += FRAME_SIZE) {
		if (snappy_break(snappy, here, va))
			return;
	}
}

static enum dbos_verdict on_write(struct snappy *snappy, uint64_t va)
{
	struct branch *here = snappy_here(snappy);

	/* A table that the program has made is not ours to mend. */
	if ((dbos_read_cr3() & DBOS_PTE_ADDR) != here->table.root)
		return DBOS_NEXT;
	if (snappy_break(snappy, here, va))
		return DBOS_NEXT;
	break_for_call(snappy, here, va);
	return DBOS_HANDLED;
}

/*
 * Memory that the process has mapped since the cut, far from all else: the snapshot's table gets
 * what the process's has for it. There is nothing else that it might not have.
 */
static enum dbos_verdict on_missing(struct dbos *dbos, struct snappy *snappy, uint64_t va)
{
	struct branch *here = snappy_here(snappy);

	if (here == &snappy->own || cover(dbos, va & DBOS_PTE_ADDR, 1))
		return DBOS_NEXT;
	return snappy_take_entry(snappy, here, va) ? DBOS_HANDLED : DBOS_NEXT;
}

static enum dbos_verdict on_fault(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	struct dbos *dbos = arg;
	struct snappy *snappy = dbos->snappy;

	(void)tf;
	if (!snappy || fec & DBOS_FEC_HOST)
		return DBOS_NEXT;
	if (!(fec & DBOS_FEC_PRESENT))
		return on_missing(dbos, snappy, va);
	return fec & DBOS_FEC_WRITE ? on_write(snappy, va) : DBOS_NEXT;
}

struct snappy *snappy_instance(struct dbos *dbos)
{
	const struct handler handler = {
		.first = 0, .last = UINT64_MAX >> 17, .fault = on_fault, .arg = dbos,
	};
	struct snappy *snappy = dbos->snappy;
	struct life *lives;

	if (snappy)
		return snappy;
	snappy = map_covered(dbos, sizeof(*snappy));
	if (!snappy)
		return NULL;
	lives = map_covered(dbos, dbos->frames.count * sizeof(*lives));
	if (!lives) {
		munmap(snappy, sizeof(*snappy));
		return NULL;
	}
	if (handlers_add(&dbos->handlers.own_faults, &handler)) {
		munmap(lives, dbos->frames.count * sizeof(*lives));
		munmap(snappy, sizeof(*snappy));
		return NULL;
	}
	snappy_init(snappy, &dbos->table, &dbos->inflights, lives);
	__atomic_store_n(&dbos->snappy, snappy, __ATOMIC_RELEASE);
	snappy_export(dbos);
	return snappy;
}
