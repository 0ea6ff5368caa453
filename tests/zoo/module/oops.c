// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions in the kernel: the process dies, the machine lives on, unless an interrupt did it. */
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>

#include "zoo.h"

static noinline void zoo_bug(void)
{
	BUG();
}

static noinline void zoo_null_read(void)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	(void)READ_ONCE(*nowhere);
}

static noinline void zoo_null_write(void)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(nowhere[4], 1);
}

static noinline void zoo_null_exec(void)
{
	void (*nothing)(void) = NULL;

	OPTIMIZER_HIDE_VAR(nothing);
	nothing();
}

/* In the kernel's half, canonical, and never mapped: near the top of the address space. */
static noinline void zoo_wild_read(void)
{
	unsigned long wild = -2UL * PAGE_SIZE;

	OPTIMIZER_HIDE_VAR(wild);
	(void)READ_ONCE(*(int *)wild);
}

static noinline void zoo_write_to_code(void)
{
	unsigned long code = (unsigned long)zoo_bug;

	OPTIMIZER_HIDE_VAR(code);
	WRITE_ONCE(*(int *)code, 0);
}

static noinline void zoo_non_canonical(void)
{
	unsigned long hole = 0xdead000000000100UL;

	OPTIMIZER_HIDE_VAR(hole);
	(void)READ_ONCE(*(int *)hole);
}

static noinline void zoo_divide(void)
{
	unsigned long number = 42, divisor = 0;

	OPTIMIZER_HIDE_VAR(number);
	OPTIMIZER_HIDE_VAR(divisor);
	pr_info("zoo: %lu / %lu = %lu\n", number, divisor, number / divisor);
}

static noinline unsigned long zoo_recursion(unsigned long depth)
{
	unsigned long frame[32];

	frame[0] = depth;
	OPTIMIZER_HIDE_VAR(frame[0]);
	return depth ? zoo_recursion(depth - 1) + frame[0] : 0;
}

static noinline void zoo_stack_overflow(void)
{
	pr_info("zoo: the stack is no %lu frames deep\n", zoo_recursion(1UL << 20));
}

static noinline void zoo_null_read_in_irq(struct irq_work *work)
{
	zoo_null_read();
}

static noinline void zoo_oops_in_irq(void)
{
	static DEFINE_IRQ_WORK(work, zoo_null_read_in_irq);

	irq_work_queue(&work);
	irq_work_sync(&work);
}

const struct zoo_fault zoo_oopses[] = {
	ZOO_FAULT(bug),
	ZOO_FAULT(null_read),
	ZOO_FAULT(null_write),
	ZOO_FAULT(null_exec),
	ZOO_FAULT(wild_read),
	ZOO_FAULT(write_to_code),
	ZOO_FAULT(non_canonical),
	ZOO_FAULT(divide),
	ZOO_FAULT(stack_overflow),
	ZOO_FAULT(oops_in_irq),
	ZOO_END,
};
