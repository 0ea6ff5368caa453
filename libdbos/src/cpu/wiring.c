// SPDX-License-Identifier: BSD-2-Clause
/*
 * What hv/instructions.h leaves to the layer that knows the vCPUs. They have no numbers yet, so
 * none of them is known to others, keeps lists of its own, or is sent anything: each flushes for
 * itself.
 */
#include <sys/syscall.h>

#include "hv/host_syscall.h"
#include "hv/machine.h"

unsigned int machine_cpu(void)
{
	return MACHINE_NO_CPU;
}

uint64_t machine_thread(void)
{
	return host_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

void machine_send_ipi(unsigned int cpu)
{
	(void)cpu;
}

void machine_flush_at_entry(unsigned int cpu, uint64_t *word, uint64_t value)
{
	(void)cpu;
	(void)word;
	(void)value;
}
