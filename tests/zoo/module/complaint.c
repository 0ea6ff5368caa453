// SPDX-License-Identifier: GPL-2.0-only
/* The kernel complains and goes on. */
#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/preempt.h>
#include <linux/refcount.h>

#include "zoo.h"

static noinline void zoo_warn(void)
{
	WARN(1, "the zoo warns about %d\n", 42);
}

static noinline void zoo_warn_on_once(void)
{
	WARN_ON_ONCE(1);
}

static noinline void zoo_refcount_underflow(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	(void)!refcount_dec_and_test(&count);
}

static noinline void zoo_refcount_use_after_free(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

/* The scheduler complains and clears the preemption count, so there is none to give back. */
static noinline void zoo_sleep_in_atomic(void)
{
	preempt_disable();
	msleep(20);
}

const struct zoo_fault zoo_complaints[] = {
	ZOO_FAULT(warn),
	ZOO_FAULT(warn_on_once),
	ZOO_FAULT(refcount_underflow),
	ZOO_FAULT(refcount_use_after_free),
	ZOO_FAULT(sleep_in_atomic),
	ZOO_END,
};
