// SPDX-License-Identifier: BSD-2-Clause
/*
 * The doorbell. Without KVM's own interrupt controller, which would put its registers into our
 * windows, only the thread that runs a vCPU can raise an interrupt in it. So whoever rings leaves a
 * note and gets that thread out of KVM_RUN, by a signal whose handler does nothing.
 *
 * None is lost. The thread says that it runs and then looks for the note, the ringer leaves the
 * note and then looks whether it runs, each with a barrier in between: so the note is found, or the
 * signal is sent. And a signal that comes too early, between that look and KVM_RUN, comes behind
 * immediate_exit, which KVM_RUN looks at first. It goes on looking for signals until it enters.
 *
 * None is too late either: a system call of the program must not be interrupted by it. Ringers are
 * counted; the thread waits until those are through that may have seen it run, and makes a system
 * call on whose way back the signal is taken.
 */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "hv/host_syscall.h"
#include "hv/kvm.h"
#include "hv/machine.h"

#define RFLAGS_IF (1ull << 9)

static void do_nothing(int signo)
{
	(void)signo;
}

/* One for all virtual machines. A program that uses KVM_DOORBELL_SIGNAL itself is told nothing. */
int kvm_doorbell_prepare(void)
{
	struct sigaction action = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };

	return sigaction(KVM_DOORBELL_SIGNAL, &action, NULL);
}

void kvm_doorbell(struct hv_vcpu *hv_vcpu)
{
	struct kvm_vcpu *vcpu = kvm_vcpu_of(hv_vcpu);
	long process;

	machine_add(&vcpu->ringers, 1);
	machine_store(&vcpu->rung, 1);
	machine_fence();
	if (machine_load(&vcpu->running)) {
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELEASE);
		process = host_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
		host_syscall(SYS_tgkill, process, vcpu->thread, KVM_DOORBELL_SIGNAL, 0, 0, 0);
	}
	machine_add(&vcpu->ringers, -1);
}

/* KVM has told at the last exit whether it could take an interrupt; RFLAGS may be new since. */
static bool takes_interrupt(const struct kvm_vcpu *vcpu, bool exception)
{
	const struct kvm_run *run = vcpu->run;

	return !exception && run->ready_for_interrupt_injection &&
	       run->s.regs.regs.rflags & RFLAGS_IF;
}

long kvm_doorbell_before_run(struct kvm_vcpu *vcpu, bool exception)
{
	struct kvm_interrupt interrupt = { .irq = HV_DOORBELL_VECTOR };

	machine_store(&vcpu->running, 1);
	machine_fence();
	if (!machine_load(&vcpu->rung))
		return 0;
	/* Else KVM_RUN comes back as soon as it can be taken. */
	if (!takes_interrupt(vcpu, exception)) {
		vcpu->run->request_interrupt_window = 1;
		return 0;
	}
	machine_store(&vcpu->rung, 0);
	return kvm_ioctl(vcpu->fd, KVM_INTERRUPT, &interrupt);
}

void kvm_doorbell_after_run(struct kvm_vcpu *vcpu)
{
	vcpu->run->request_interrupt_window = 0;	/* a probe would come back for it */
	machine_store(&vcpu->running, 0);
	machine_fence();
	if (machine_load(&vcpu->ringers) == 0 &&
	    !__atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_ACQUIRE))
		return;
	while (machine_load(&vcpu->ringers))
		machine_pause();
	vcpu->run->immediate_exit = 0;
	host_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}
