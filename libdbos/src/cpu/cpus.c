// SPDX-License-Identifier: BSD-2-Clause
/* Numbers for vCPUs, and their ways in and out of guest mode. */
#include <errno.h>

#include "cpu/cpus.h"

static void raise_limit(struct cpus *cpus, uint64_t limit)
{
	uint64_t old = machine_load(&cpus->limit);

	while (old < limit && !machine_cas(&cpus->limit, &old, limit))
		;
}

static bool take(struct cpus *cpus, unsigned int number)
{
	uint64_t taken = 0;

	if (!machine_cas(&cpus->cpu[number].taken, &taken, 1))
		return false;
	/* Its last owner has flushed another TLB than the new one's. */
	machine_store(&cpus->cpu[number].flushed, 0);
	cpus->cpu[number].root = 0;
	raise_limit(cpus, number + 1);
	calls_open(&cpus->cpu[number]);
	return true;
}

int cpus_take(struct cpus *cpus, unsigned int wanted)
{
	if (wanted != CPUS_ANY) {
		if (wanted >= CPUS_MAX)
			return -E2BIG;
		return take(cpus, wanted) ? (int)wanted : -EBUSY;
	}
	for (unsigned int i = 0; i < CPUS_MAX; i++) {
		if (take(cpus, i))
			return i;
	}
	return -E2BIG;
}

void cpus_give_back(struct cpus *cpus, unsigned int number)
{
	machine_store(&cpus->cpu[number].taken, 0);
}

/* Says that it is inside, once the world is not stopped: whoever stops it sees that, or is seen. */
static void say_inside(struct cpus *cpus, struct cpu *cpu)
{
	for (;;) {
		machine_store(&cpu->where, CPU_INSIDE);
		machine_fence();
		if (!machine_load(&cpus->stopper) || world_is_stopped_by(cpus, cpu))
			break;
		machine_store(&cpu->where, CPU_OUTSIDE);
		while (machine_load(&cpus->stopper))
			machine_pause();
	}
}

/*
 * Says that it is inside, and then looks what there is to do: with the barrier in between, whoever
 * wants something sees the one, or is seen by the other.
 */
void cpu_inside(struct cpus *cpus, struct cpu *cpu)
{
	say_inside(cpus, cpu);
	tlb_catch_up_at_entry(cpus, cpu);
	if (calls_waiting(cpu))
		machine_send_ipi(cpus_number(cpus, cpu));
}

void cpu_walks(struct cpus *cpus, struct cpu *cpu)
{
	say_inside(cpus, cpu);
}

void cpu_outside(struct cpus *cpus, struct cpu *cpu)
{
	(void)cpus;
	machine_store(&cpu->where, CPU_OUTSIDE);
}

void cpu_serve(struct cpus *cpus, struct cpu *cpu)
{
	tlb_catch_up(cpus, cpu);
	calls_run(cpu);
	world_park(cpus, cpu);
}

void cpu_interrupt(struct cpus *cpus)
{
	cpu_serve(cpus, cpus_self(cpus));
}
