// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/dune, and when CPUs are in SVM or VMX operation: only while a VM exists.
 *
 * The CPU hot-plug state machine does the per-CPU work. Installing our state runs cpu_enable() on
 * every CPU that is up (and undoes it if one refuses), removing it runs cpu_disable(), and a CPU
 * that comes or goes in between is handled by the same two functions.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpuhotplug.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/syscore_ops.h>

#include "hypervisor.h"

static DEFINE_MUTEX(hardware_mutex);
static unsigned int hardware_users;
static enum cpuhp_state hardware_state;

/*
 * The CPU that is up last through a suspend never passes the hot-plug states, and comes back with
 * EFER restored but without a host save area. All others are off by then, and interrupts too.
 */
static int hardware_suspend(void)
{
	vendor()->cpu_disable();
	return 0;
}

static void hardware_resume(void)
{
	/* It was on before, so nothing can refuse it now. */
	vendor()->cpu_enable();
}

static void hardware_shutdown(void)
{
	vendor()->cpu_disable();
}

static struct syscore_ops hardware_syscore = {
	.suspend = hardware_suspend,
	.resume = hardware_resume,
	.shutdown = hardware_shutdown,
};

const struct vendor_ops *vendor(void)
{
	/* VT-x joins here, chosen by CPUID. */
	return &svm_ops;
}

static int dune_cpu_online(unsigned int cpu)
{
	return vendor()->cpu_enable();
}

/*
 * Runs on the CPU itself, so no vCPU is in guest mode on it. A vCPU's thread may still be queued
 * there, though: vendor->enter() refuses it until the scheduler has moved it.
 */
static int dune_cpu_offline(unsigned int cpu)
{
	vendor()->cpu_disable();
	return 0;
}

int hardware_get(void)
{
	int ret = 0;

	mutex_lock(&hardware_mutex);
	if (hardware_users == 0) {
		ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x86/dune:online", dune_cpu_online,
					dune_cpu_offline);
		if (ret < 0)
			goto unlock;
		hardware_state = ret;
		register_syscore_ops(&hardware_syscore);
		ret = 0;
	}
	hardware_users++;
unlock:
	mutex_unlock(&hardware_mutex);
	return ret;
}

void hardware_put(void)
{
	mutex_lock(&hardware_mutex);
	if (--hardware_users == 0) {
		unregister_syscore_ops(&hardware_syscore);
		cpuhp_remove_state(hardware_state);
	}
	mutex_unlock(&hardware_mutex);
}

static int dune_open(struct inode *inode, struct file *file)
{
	return vm_create(file);
}

static const struct file_operations dune_fops = {
	.owner = THIS_MODULE,
	.open = dune_open,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
};

/* Whoever may open this runs code at CPL 0 of a VM: root, until a udev rule says otherwise. */
static struct miscdevice dune_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dune",
	.fops = &dune_fops,
	.mode = 0600,
};

static int __init dune_init(void)
{
	int ret;

	ret = vendor()->setup();
	if (ret)
		return ret;
	ret = misc_register(&dune_device);
	if (ret)
		goto teardown;
	pr_info("%s, %u-bit guest-physical addresses\n", vendor()->name, tdp_gpa_bits());
	return 0;

teardown:
	vendor()->teardown();
	return ret;
}

static void __exit dune_exit(void)
{
	misc_deregister(&dune_device);
	vendor()->teardown();
}

module_init(dune_init);
module_exit(dune_exit);

MODULE_DESCRIPTION("Gives a process a privileged CPU mode, inside a virtual machine of its own");
MODULE_LICENSE("GPL");
