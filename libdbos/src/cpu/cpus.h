/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vCPUs of a process as they see one another: by number, wherever they are.
 *
 * A vCPU is outside (in the host: a system call, a signal handler, not entered yet, left), inside,
 * or parked: inside, but stopped with the world. Others send IPIs only to those that are not
 * outside, and what they want of one that is waits for it: it flushes on its way in, and looks for
 * calls and for a stopped world there.
 */
#ifndef DBOS_CPUS_H
#define DBOS_CPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/calls.h"
#include "hv/machine.h"
#include "cpu/tlb.h"

#define CPUS_MAX 256

enum { CPU_OUTSIDE, CPU_INSIDE, CPU_PARKED };

struct cpu {
	uint64_t taken;		/* the number is somebody's */
	uint64_t where;
	uint64_t flushed;	/* the generation it has caught up with */
	uint64_t root;		/* of the page table it has loaded; 0: the process's */
	struct tlb_counters counters;
	struct calls calls;
} __attribute__((aligned(64)));

/* All zero at first. */
struct cpus {
	uint64_t limit;		/* numbers from here on were never taken */
	/* Who has stopped the world: a vCPU's number + 1, WORLD_HOST | thread; 0: it runs. */
	uint64_t stopper;
	uint64_t flush_code;	/* where machine_flush_at_entry() has vCPUs enter */
	struct tlb tlb;
	struct cpu cpu[CPUS_MAX];
};

static inline unsigned int cpus_number(const struct cpus *cpus, const struct cpu *cpu)
{
	return cpu - cpus->cpu;
}

/* The calling vCPU, or NULL out of guest mode. */
static inline struct cpu *cpus_self(struct cpus *cpus)
{
	unsigned int number = machine_cpu();

	return number == MACHINE_NO_CPU ? NULL : &cpus->cpu[number];
}

/* Takes a free number, @wanted or any (CPUS_ANY); the vCPU is outside. -EBUSY, -E2BIG: none. */
#define CPUS_ANY (~0u)
int cpus_take(struct cpus *cpus, unsigned int wanted);

/* The vCPU is outside and has no calls left (calls_close): its number is free. */
void cpus_give_back(struct cpus *cpus, unsigned int number);

/*
 * From the host, around guest mode. cpu_inside() waits while the world is stopped; after it, and
 * only then, the guest may run. Interrupts of the guest can't come in between.
 */
void cpu_inside(struct cpus *cpus, struct cpu *cpu);
void cpu_outside(struct cpus *cpus, struct cpu *cpu);

/*
 * From the host, by a vCPU that is outside: it will walk the page table, until cpu_outside().
 * Meanwhile it counts as inside and behind, so no table that it may meet is handed out again, and
 * flushers and stoppers of the world wait for it. A walk from the host has no TLB to flush. Tables
 * that were handed out again before are out of its reach: they had been unlinked, and by the
 * barrier it sees that.
 */
void cpu_walks(struct cpus *cpus, struct cpu *cpu);

/* The interrupt: whatever others want of this vCPU. In guest mode, interrupts off. */
void cpu_interrupt(struct cpus *cpus);

/* The same while this vCPU waits for another one: a quiescent point. */
void cpu_serve(struct cpus *cpus, struct cpu *cpu);

/* world.c */
#define WORLD_HOST (1ull << 63)

/*
 * Stops all other vCPUs: when this returns each of them is in the host, where it stays, or parked,
 * and has run nothing since the last of them stopped. -EALREADY: it is stopped by the caller;
 * -EDEADLK: inside of a call. Where two stop at once, one waits for the other to start. From
 * anywhere but under a spinlock or with a locked page-table entry.
 */
int world_stop(struct cpus *cpus);
int world_start(struct cpus *cpus);		/* -EINVAL: not stopped by the caller */
bool world_is_stopped_by(struct cpus *cpus, const struct cpu *cpu);
void world_park(struct cpus *cpus, struct cpu *cpu);

#endif /* DBOS_CPUS_H */
