// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for what never comes. Those that do come back take SECONDS. */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "zoo.h"

#define SECONDS 8

static noinline void zoo_double_lock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	spin_lock(&lock);
}

static DEFINE_MUTEX(mutex_a);
static DEFINE_MUTEX(mutex_b);
static DECLARE_COMPLETION(a_taken);
static DECLARE_COMPLETION(b_taken);

static noinline int zoo_abba_other(void *unused)
{
	mutex_lock(&mutex_b);
	complete(&b_taken);
	wait_for_completion(&a_taken);
	mutex_lock(&mutex_a);
	return 0;
}

static noinline void zoo_abba(void)
{
	if (IS_ERR(kthread_run(zoo_abba_other, NULL, "zoo_abba")))
		return;
	mutex_lock(&mutex_a);
	complete(&a_taken);
	wait_for_completion(&b_taken);
	mutex_lock(&mutex_b);
}

static noinline void zoo_hung_task(void)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule_timeout(SECONDS * HZ);
}

static noinline void zoo_hung_for_ever(void)
{
	static DECLARE_COMPLETION(never);

	wait_for_completion(&never);
}

static void zoo_rcu_nothing(struct rcu_head *unused)
{
}

/* Stalls are reported of grace periods only: let there be one to wait for. */
static void zoo_want_grace_period(void)
{
	static struct rcu_head head;

	call_rcu(&head, zoo_rcu_nothing);
}

/* This CPU is stuck, and says so itself. */
static noinline void zoo_rcu_stall(void)
{
	unsigned long end = jiffies + SECONDS * HZ;

	preempt_disable();
	zoo_want_grace_period();
	while (time_before(jiffies, end))
		cpu_relax();
	preempt_enable();
}

/* A reader that lets others run: no CPU is stuck, and still no grace period ends. */
static noinline void zoo_rcu_reader(void)
{
	unsigned long end = jiffies + SECONDS * HZ;

	rcu_read_lock();
	zoo_want_grace_period();
	while (time_before(jiffies, end))
		cond_resched();
	rcu_read_unlock();
}

const struct zoo_fault zoo_locking[] = {
	ZOO_FAULT(double_lock),
	ZOO_FAULT(abba),
	ZOO_FAULT(hung_task),
	ZOO_FAULT(hung_for_ever),
	ZOO_FAULT(rcu_stall),
	ZOO_FAULT(rcu_reader),
	ZOO_END,
};
