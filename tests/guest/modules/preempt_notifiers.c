// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps preempt notifiers switched on while it is loaded.
 *
 * KVM switches them on with its first VM and off with its last, and each time the kernel patches
 * __schedule(), through which every processor goes all the time. QEMU 7.2 can go on with its
 * translation of what was there before: a breakpoint that is in memory no more, on all processors,
 * for ever. With this one user more KVM's own change nothing, so that a guest's kernel is patched
 * once, however many VMs there are.
 */
#include <linux/module.h>
#include <linux/preempt.h>

static int __init preempt_notifiers_init(void)
{
	preempt_notifier_inc();
	return 0;
}

static void __exit preempt_notifiers_exit(void)
{
	preempt_notifier_dec();
}

module_init(preempt_notifiers_init);
module_exit(preempt_notifiers_exit);

MODULE_DESCRIPTION("Keeps preempt notifiers switched on");
MODULE_LICENSE("GPL");
