// SPDX-License-Identifier: GPL-2.0-only
/* Processors that do something else than to run the system. */
#include <asm/irqflags.h>
#include <linux/jiffies.h>
#include <linux/preempt.h>
#include <linux/processor.h>
#include <linux/smp.h>

#include "zoo.h"

#define SECONDS 8

static noinline void zoo_spin_preempt_off(void)
{
	unsigned long end = jiffies + SECONDS * HZ;

	preempt_disable();
	while (time_before(jiffies, end))
		cpu_relax();
	preempt_enable();
}

static noinline void zoo_spin_irqs_off(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static noinline void zoo_spin_this_cpu(void *unused)
{
	zoo_spin_irqs_off();
}

static noinline void zoo_spin_all_irqs_off(void)
{
	preempt_disable();
	smp_call_function(zoo_spin_this_cpu, NULL, 0);
	zoo_spin_irqs_off();
}

static noinline void zoo_halt_this_cpu(void *unused)
{
	for (;;)
		asm volatile("cli; hlt");
}

static noinline void zoo_halt_all(void)
{
	preempt_disable();
	smp_call_function(zoo_halt_this_cpu, NULL, 0);
	zoo_halt_this_cpu(NULL);
}

const struct zoo_fault zoo_stuck[] = {
	ZOO_FAULT(spin_preempt_off),
	ZOO_FAULT(spin_irqs_off),
	ZOO_FAULT(spin_all_irqs_off),
	ZOO_FAULT(halt_all),
	ZOO_END,
};
