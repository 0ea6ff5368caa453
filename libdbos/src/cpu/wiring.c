// SPDX-License-Identifier: BSD-2-Clause
/*
 * What hv/instructions.h leaves to the layer that knows the vCPUs. They have no numbers yet, so
 * none of them is known to others, keeps lists of its own, or is sent anything: each flushes for
 * itself.
 */
#include "hv/machine.h"

unsigned int machine_cpu(void)
{
	return MACHINE_NO_CPU;
}

void machine_send_ipi(unsigned int cpu)
{
	(void)cpu;
}

void machine_flush_at_entry(unsigned int cpu)
{
	(void)cpu;
}
