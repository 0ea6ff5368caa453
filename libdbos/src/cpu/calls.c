// SPDX-License-Identifier: BSD-2-Clause
/* Queued calls between vCPUs: see calls.h. */
#include <errno.h>

#include "cpu/calls.h"
#include "cpu/cpus.h"
#include "hv/machine.h"

void calls_open(struct cpu *cpu)
{
	machine_add(&cpu->calls.tail, CALLS_OPEN);
}

static struct call *place(struct calls *calls, uint64_t ticket)
{
	return &calls->ring[ticket % CALLS_RING];
}

/*
 * Takes a ticket and fills its place. Interrupts are off: between the two the receiver waits for
 * us, and so would a call made by an interrupt handler of ours.
 */
static int enqueue(struct calls *calls, call_fn fn, void *arg, uint64_t *ticket)
{
	uint64_t tail = machine_load(&calls->tail);
	struct call *call;
	uint64_t turn;

	for (;;) {
		if (!(tail & CALLS_OPEN))
			return -ESRCH;
		*ticket = tail & ~CALLS_OPEN;
		call = place(calls, *ticket);
		turn = *ticket / CALLS_RING * 2;
		if (machine_load(&call->turn) == turn) {
			if (machine_cas(&calls->tail, &tail, tail + 1))
				break;
			continue;
		}
		/* Taken: by a call of the last round, or others were faster. */
		if (machine_load(&calls->tail) == tail)
			return -EAGAIN;
		tail = machine_load(&calls->tail);
	}
	call->fn = fn;
	call->arg = arg;
	machine_store(&call->turn, turn + 1);
	return 0;
}

static bool is_filled(struct calls *calls, uint64_t ticket)
{
	return machine_load(&place(calls, ticket)->turn) == ticket / CALLS_RING * 2 + 1;
}

bool calls_waiting(const struct cpu *cpu)
{
	return is_filled((struct calls *)&cpu->calls, machine_load(&cpu->calls.done));
}

void calls_run(struct cpu *cpu)
{
	struct calls *calls = &cpu->calls;
	uint64_t irqs = machine_irqs_off();
	uint64_t ticket = machine_load(&calls->done);

	if (calls->running) {
		machine_irqs_restore(irqs);
		return;
	}
	calls->running = true;
	while (is_filled(calls, ticket)) {
		struct call *call = place(calls, ticket);
		call_fn fn = call->fn;
		void *arg = call->arg;

		machine_store(&call->turn, (ticket / CALLS_RING + 1) * 2);
		fn(arg);
		machine_store(&calls->done, ++ticket);
	}
	calls->running = false;
	machine_irqs_restore(irqs);
}

void calls_close(struct cpu *cpu)
{
	struct calls *calls = &cpu->calls;
	uint64_t tail = machine_add(&calls->tail, CALLS_OPEN) & ~CALLS_OPEN;

	/* A sender may still be filling the last places. */
	while (machine_load(&calls->done) != tail) {
		calls_run(cpu);
		machine_pause();
	}
}

/* Out of guest mode the caller is nobody's target, and has nothing to serve while it waits. */
static void wait(struct cpus *cpus, struct cpu *self)
{
	if (self)
		cpu_serve(cpus, self);
	machine_pause();
}

int calls_send(struct cpus *cpus, unsigned int to, call_fn fn, void *arg, unsigned int flags)
{
	struct cpu *self = cpus_self(cpus);
	struct cpu *cpu = &cpus->cpu[to];
	bool may_wait = !(self && self->calls.running) && !world_is_stopped_by(cpus, self);
	uint64_t irqs, ticket;
	int ret;

	if (to >= CPUS_MAX)
		return -ESRCH;
	if (!may_wait && (flags & CALL_WAIT || !(flags & CALL_TRY)) && cpu != self)
		return -EDEADLK;
	if (cpu == self) {
		irqs = machine_irqs_off();
		fn(arg);
		machine_irqs_restore(irqs);
		return 0;
	}
	for (;;) {
		irqs = machine_irqs_off();
		ret = enqueue(&cpu->calls, fn, arg, &ticket);
		machine_irqs_restore(irqs);
		if (ret != -EAGAIN || flags & CALL_TRY)
			break;
		wait(cpus, self);
	}
	if (ret)
		return ret;
	/* With a barrier: a vCPU that we see outside looks for calls after it says it is inside. */
	machine_fence();
	if (machine_load(&cpu->where) != CPU_OUTSIDE)
		machine_send_ipi(to);
	while (flags & CALL_WAIT && machine_load(&cpu->calls.done) <= ticket)
		wait(cpus, self);
	return 0;
}
