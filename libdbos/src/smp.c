// SPDX-License-Identifier: BSD-2-Clause
/* The public side of what vCPUs do to one another: <dbos/smp.h>, and of <dbos/mm.h> what waits. */
#include <errno.h>

#include <dbos/mm.h>
#include <dbos/smp.h>

#include "dbos_internal.h"

_Static_assert(DBOS_CALL_WAIT == CALL_WAIT && DBOS_CALL_TRY == CALL_TRY, "smp.h");
_Static_assert(DBOS_ALL_PAGES == TLB_ALL_PAGES, "mm.h");

int dbos_self(void)
{
	unsigned int number = machine_cpu();

	return number == MACHINE_NO_CPU ? -EINVAL : (int)number;
}

int dbos_call(struct dbos *dbos, unsigned int vcpu, void (*fn)(void *arg), void *arg,
	      unsigned int flags)
{
	if (in_signal_handler())
		return -EDEADLK;
	return calls_send(&dbos->cpus, vcpu, fn, arg, flags);
}

int dbos_stop_world(struct dbos *dbos)
{
	return in_signal_handler() ? -EDEADLK : world_stop(&dbos->cpus);
}

int dbos_start_world(struct dbos *dbos)
{
	return in_signal_handler() ? -EDEADLK : world_start(&dbos->cpus);
}

int dbos_flush(struct dbos *dbos, const void *va, size_t pages, enum dbos_flush how,
	       uint64_t *generation)
{
	uint64_t raised = 0;

	if (in_signal_handler())
		return -EDEADLK;
	if (how == DBOS_FLUSH_LOCAL)
		tlb_flush_local(&dbos->cpus, (uint64_t)va, pages);
	else
		raised = tlb_flush(&dbos->cpus, (uint64_t)va, pages,
				   how == DBOS_FLUSH_SYNC ? TLB_SYNC : TLB_LAZY);
	if (generation)
		*generation = raised;
	return 0;
}

int dbos_flush_stats(struct dbos *dbos, struct dbos_flush_stats *stats)
{
	struct cpu *cpu = cpus_self(&dbos->cpus);

	if (!cpu)
		return -EINVAL;
	*stats = (struct dbos_flush_stats){
		.pages = cpu->counters.pages,
		.all = cpu->counters.flushes,
		.interrupts = cpu->counters.interrupts,
	};
	return 0;
}

uint64_t dbos_frame_alloc(struct dbos *dbos)
{
	return in_signal_handler() ? 0 : frames_alloc(&dbos->frames);
}

void dbos_frame_free(struct dbos *dbos, uint64_t gpa)
{
	frames_free(&dbos->frames, gpa);
}

void dbos_frame_retire(struct dbos *dbos, uint64_t gpa, uint64_t generation)
{
	frames_retire(&dbos->frames, gpa, generation);
}

void *dbos_frame_memory(const struct dbos *dbos, uint64_t gpa)
{
	return frames_memory(&dbos->frames, gpa);
}
