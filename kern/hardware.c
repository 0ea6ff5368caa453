// SPDX-License-Identifier: GPL-2.0-only
/*
 * When CPUs are in SVM or VMX operation: only while a VM exists. Or they are in it already, by
 * KVM's doing, and each of our VMs holds one of KVM's, so that KVM does not end it.
 *
 * The CPU hot-plug state machine does the per-CPU work. Installing our state runs cpu_enable() on
 * every CPU that is up (and undoes it if one refuses), removing it runs cpu_disable(), and a CPU
 * that comes or goes in between is handled by the same two functions.
 *
 * On a lease all of it nests inside what KVM does. Its own state is an earlier one, so a CPU that
 * comes has been enabled by KVM before it gets to us, and one that goes leaves us first; and since
 * KVM registered its suspend and resume before we did, it is called after us, and before us.
 */
#include <linux/cpuhotplug.h>
#include <linux/smp.h>

#include "hypervisor.h"

static DEFINE_MUTEX(hardware_mutex);
static unsigned int hardware_users;
static bool hardware_leased;		/* changes only while there is no user */
static enum cpuhp_state hardware_state;

/*
 * The CPU that is up last through a suspend never passes the hot-plug states, and comes back with
 * EFER restored but without a host save area. All others are off by then, and interrupts too.
 */
static int hardware_suspend(SYSCORE_ARGUMENTS)
{
	vendor()->cpu_disable();
	return 0;
}

static void hardware_resume(SYSCORE_ARGUMENTS)
{
	/* It was on before, so nothing can refuse it now. */
	vendor()->cpu_enable(hardware_leased);
}

static void disable_this_cpu(void *unused)
{
	vendor()->cpu_disable();
}

/*
 * A reboot, or another kernel by kexec. The other CPUs are still up, and none must stay as it is:
 * in VMX operation a CPU does not take the INIT that is to start it again.
 */
static void hardware_shutdown(SYSCORE_ARGUMENTS)
{
	on_each_cpu(disable_this_cpu, NULL, true);
}

DEFINE_SYSCORE(hardware_syscore, hardware_suspend, hardware_resume, hardware_shutdown);

static int dune_cpu_online(unsigned int cpu)
{
	return vendor()->cpu_enable(hardware_leased);
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

/*
 * @leased: somebody else has put the CPUs into VMX operation, and the caller knows that they stay
 * there until its hardware_put(). All users do it in the same way.
 */
int hardware_get(bool leased)
{
	int ret = 0;

	mutex_lock(&hardware_mutex);
	if (hardware_users == 0) {
		hardware_leased = leased;
		ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x86/dune:online", dune_cpu_online,
					dune_cpu_offline);
		if (ret < 0)
			goto unlock;
		hardware_state = ret;
		register_syscore(&hardware_syscore);
		ret = 0;
	} else if (hardware_leased != leased) {
		ret = -EBUSY;
		goto unlock;
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
		unregister_syscore(&hardware_syscore);
		cpuhp_remove_state(hardware_state);
	}
	mutex_unlock(&hardware_mutex);
}
