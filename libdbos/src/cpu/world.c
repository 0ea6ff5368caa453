// SPDX-License-Identifier: BSD-2-Clause
/* Stopping the world: a rendezvous of all vCPUs but one. */
#include <errno.h>

#include "cpu/cpus.h"

static uint64_t token(const struct cpus *cpus, const struct cpu *cpu)
{
	return cpu ? cpus_number(cpus, cpu) + 1 : WORLD_HOST | machine_thread();
}

bool world_is_stopped_by(struct cpus *cpus, const struct cpu *cpu)
{
	uint64_t stopper = machine_load(&cpus->stopper);

	return stopper && stopper == token(cpus, cpu);
}

/*
 * In place of running while another vCPU has stopped the world. A parked vCPU goes on flushing:
 * it is in guest mode, where the processor fetches translations ahead of use. It takes no
 * interrupts, which would run calls.
 */
void world_park(struct cpus *cpus, struct cpu *cpu)
{
	uint64_t irqs = machine_irqs_off();

	while (machine_load(&cpus->stopper) && !world_is_stopped_by(cpus, cpu)) {
		machine_store(&cpu->where, CPU_PARKED);
		while (machine_load(&cpus->stopper)) {
			tlb_catch_up(cpus, cpu);
			machine_pause();
		}
		machine_store(&cpu->where, CPU_INSIDE);
		/* Another stopper sees this, or we see it: see cpu_inside(). */
		machine_fence();
	}
	/*
	 * Whatever was flushed in a stopped world, by who waits for nobody. Not before: until we
	 * are inside, the world may be stopped and started once more without us.
	 */
	tlb_catch_up(cpus, cpu);
	machine_irqs_restore(irqs);
}

static void wait_until_stopped(struct cpus *cpus, struct cpu *self)
{
	uint64_t limit = machine_load(&cpus->limit);

	for (uint64_t i = 0; i < limit; i++) {
		if (&cpus->cpu[i] != self && machine_load(&cpus->cpu[i].where) == CPU_INSIDE)
			machine_send_ipi(i);
	}
	for (uint64_t i = 0; i < limit; i++) {
		while (&cpus->cpu[i] != self && machine_load(&cpus->cpu[i].where) == CPU_INSIDE) {
			/* It may be waiting for our flush before it can stop. */
			if (self)
				tlb_catch_up(cpus, self);
			machine_pause();
		}
	}
}

int world_stop(struct cpus *cpus)
{
	struct cpu *self = cpus_self(cpus);
	uint64_t running = 0;

	if (world_is_stopped_by(cpus, self))
		return -EALREADY;
	if (self && self->calls.running)
		return -EDEADLK;
	while (!machine_cas(&cpus->stopper, &running, token(cpus, self))) {
		if (self)
			cpu_serve(cpus, self);
		machine_pause();
		running = 0;
	}
	wait_until_stopped(cpus, self);
	return 0;
}

int world_start(struct cpus *cpus)
{
	if (!world_is_stopped_by(cpus, cpus_self(cpus)))
		return -EINVAL;
	machine_store(&cpus->stopper, 0);
	return 0;
}
