// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers. While the guest runs they are the guest's, otherwise the host's; neither sees
 * the other's breakpoints.
 *
 * Few guests ever touch them, so a guest starts without: MOV DR exits. The first one that does gets
 * them for good, and from then on DR0-3, which neither vendor switches, are loaded before each
 * entry and read back after it. DR7, which arms them, is switched by the CPU itself, in one piece
 * with the world: no host breakpoint is armed in the guest and none of the guest's in the host.
 */
#include <linux/percpu.h>
#include <asm/debugreg.h>

#include "hypervisor.h"

/* For vendors: the guest tried MOV DR. Its breakpoint addresses are zero, as after a reset. */
void debug_registers_give(struct vcpu *vcpu)
{
	vcpu->debug.live = true;
}

/* Interrupts off, and they stay off until debug_registers_restore(). */
void debug_registers_load(struct vcpu *vcpu)
{
	if (!vcpu->debug.live)
		return;
	get_debugreg(vcpu->debug.host[0], 0);
	get_debugreg(vcpu->debug.host[1], 1);
	get_debugreg(vcpu->debug.host[2], 2);
	get_debugreg(vcpu->debug.host[3], 3);
	/* A breakpoint of the host must not become one at an address the guest chose. */
	set_debugreg(0UL, 7);
	set_debugreg(vcpu->debug.address[0], 0);
	set_debugreg(vcpu->debug.address[1], 1);
	set_debugreg(vcpu->debug.address[2], 2);
	set_debugreg(vcpu->debug.address[3], 3);
}

/*
 * An exit leaves DR7 at its reset value, so breakpoints that perf or gdb have in this thread or on
 * this CPU are off by now, and their addresses may be overwritten. (The kernel's function for this
 * is one of those that newer ones keep to KVM.)
 */
void debug_registers_restore(struct vcpu *vcpu)
{
	if (vcpu->debug.live) {
		get_debugreg(vcpu->debug.address[0], 0);
		get_debugreg(vcpu->debug.address[1], 1);
		get_debugreg(vcpu->debug.address[2], 2);
		get_debugreg(vcpu->debug.address[3], 3);
		set_debugreg(vcpu->debug.host[0], 0);
		set_debugreg(vcpu->debug.host[1], 1);
		set_debugreg(vcpu->debug.host[2], 2);
		set_debugreg(vcpu->debug.host[3], 3);
	}
	if (vcpu->debug.live || hw_breakpoint_active()) {
		set_debugreg(DR6_RESERVED, 6);
		set_debugreg(this_cpu_read(cpu_dr7), 7);
	}
}
