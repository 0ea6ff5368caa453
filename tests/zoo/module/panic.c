// SPDX-License-Identifier: GPL-2.0-only
/* The end of the kernel, told and untold. */
#include <asm/desc.h>
#include <asm/nmi.h>
#include <linux/irq_work.h>
#include <linux/panic.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>

#include "zoo.h"

static noinline void zoo_panic(void)
{
	panic("the zoo panics");
}

static noinline void zoo_panic_now(struct irq_work *work)
{
	panic("the zoo panics in an interrupt");
}

static noinline void zoo_panic_in_irq(void)
{
	static DEFINE_IRQ_WORK(work, zoo_panic_now);

	irq_work_queue(&work);
	irq_work_sync(&work);
}

static noinline int zoo_nmi_handler(unsigned int type, struct pt_regs *regs)
{
	nmi_panic(regs, "the zoo panics in an NMI");
	return NMI_HANDLED;
}

/* "int $2" enters by the gate that an NMI takes, whatever the interrupt controller's mode. */
static noinline void zoo_panic_in_nmi(void)
{
	if (register_nmi_handler(NMI_LOCAL, zoo_nmi_handler, 0, "zoo"))
		return;
	asm volatile("int $2");
}

/* Init ignores every signal that it has no handler for, until it is a process like any other. */
static noinline void zoo_kill_init(void)
{
	struct task_struct *init;

	rcu_read_lock();
	init = pid_task(find_pid_ns(1, &init_pid_ns), PIDTYPE_PID);
	init->signal->flags &= ~SIGNAL_UNKILLABLE;
	send_sig(SIGABRT, init, 1);
	rcu_read_unlock();
}

/* No word on the console: an exception without a table of handlers resets the machine. */
static noinline void zoo_triple_fault(void)
{
	static const struct desc_ptr nothing;

	load_idt(&nothing);
	asm volatile("int3");
}

const struct zoo_fault zoo_panics[] = {
	ZOO_FAULT(panic),
	ZOO_FAULT(panic_in_irq),
	ZOO_FAULT(panic_in_nmi),
	ZOO_FAULT(kill_init),
	ZOO_FAULT(triple_fault),
	ZOO_END,
};
