// SPDX-License-Identifier: BSD-2-Clause
/* KVM_RUN, and what its exits mean. */
#include <errno.h>
#include <stddef.h>

#include "hv/kvm.h"

#define VECTOR_PF 14

/* Exceptions with an error code: 8, 10 to 14, 17. */
#define HAS_ERROR_CODE (1u << 8 | 0x1fu << 10 | 1u << 17)

#define RESET_RIP 0xfff0

/* OUT imm8, EAX: the guest's calls have no other form (hv.h). */
#define OUT_LENGTH 2

long kvm_run_once(struct kvm_vcpu *vcpu)
{
	/*
	 * Only when they may have changed: registers that go in make KVM forget an exception that
	 * it was about to raise when a signal came.
	 */
	if (vcpu->regs_changed)
		vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	vcpu->regs_changed = false;
	return kvm_ioctl(vcpu->fd, KVM_RUN, NULL);
}

void kvm_inject(struct hv_vcpu *vcpu, uint8_t vector, uint32_t error_code, uint64_t cr2)
{
	kvm_vcpu_of(vcpu)->injection = (struct kvm_injection){
		.valid = true, .vector = vector, .error_code = error_code, .cr2 = cr2,
	};
}

static long set_cr2(struct kvm_vcpu *vcpu, uint64_t cr2)
{
	struct kvm_sregs sregs;
	long ret = kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);

	if (ret < 0)
		return ret;
	sregs.cr2 = cr2;
	return kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
}

static long raise_exception(struct kvm_vcpu *vcpu)
{
	const struct kvm_injection *injection = &vcpu->injection;
	bool has_error_code = injection->vector < 32 && HAS_ERROR_CODE >> injection->vector & 1;
	struct kvm_vcpu_events events = {
		.exception = {
			.injected = 1,
			.nr = injection->vector,
			.has_error_code = has_error_code,
			.error_code = has_error_code ? injection->error_code : 0,
		},
	};
	long ret = 0;

	if (injection->vector == VECTOR_PF)
		ret = set_cr2(vcpu, injection->cr2);
	if (!ret)
		ret = kvm_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events);
	vcpu->injection.valid = false;
	return ret;
}

/*
 * KVM steps over a port access in the next KVM_RUN, and leaves that if RIP is elsewhere by then:
 * so we step over a call ourselves. From all other ports a read floats, a write is swallowed.
 */
static void io_exit(struct kvm_vcpu *vcpu, struct hv_exit *exit)
{
	struct kvm_run *run = vcpu->run;
	char *data = (char *)run + run->io.data_offset;
	struct kvm_regs *regs = &run->s.regs.regs;

	exit->reason = HV_EXIT_AGAIN;
	if (run->io.direction == KVM_EXIT_IO_OUT) {
		if (run->io.port >= HV_PORTS || run->io.size != 4 || run->io.count != 1)
			return;
		exit->reason = HV_EXIT_OUT;
		exit->port = run->io.port;
		regs->rip += OUT_LENGTH;
		return;
	}
	for (uint32_t i = 0; i < run->io.count; i++)
		__builtin_memcpy(data + i * run->io.size, &regs->rax, run->io.size);
}

/* Outside of all slots. KVM has emulated the instruction: a write is over, and RIP behind it. */
static void mmio_exit(struct kvm_vcpu *vcpu, struct hv_exit *exit)
{
	exit->reason = HV_EXIT_FAULT;
	exit->gpa = vcpu->run->mmio.phys_addr;
	exit->fault_flags = vcpu->run->mmio.is_write ? DUNE_FAULT_WRITE : 0;
}

int kvm_understand(struct kvm_vcpu *vcpu, struct hv_exit *exit)
{
	const struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		io_exit(vcpu, exit);
		return 0;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		exit->reason = HV_EXIT_AGAIN;
		return 0;
	case KVM_EXIT_HLT:
		exit->reason = HV_EXIT_HLT;
		return 0;
	case KVM_EXIT_MMIO:
		mmio_exit(vcpu, exit);
		return 0;
	case KVM_EXIT_INTERNAL_ERROR:
		/* Outside of all slots, by an instruction that KVM's emulator does not know? */
		if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
			return kvm_probe(vcpu, false, exit);
		exit->reason = HV_EXIT_DEAD;
		exit->code = run->internal.suberror;
		return 0;
	case KVM_EXIT_SHUTDOWN:
		/* On SVM, KVM resets the vCPU before it tells. Nothing can be mapped there. */
		exit->reason = HV_EXIT_SHUTDOWN;
		exit->registers_lost = run->s.regs.regs.rip == RESET_RIP;
		return 0;
	case KVM_EXIT_FAIL_ENTRY:
		exit->reason = HV_EXIT_DEAD;
		exit->code = run->fail_entry.hardware_entry_failure_reason;
		return 0;
	default:
		exit->reason = HV_EXIT_DEAD;
		exit->code = run->exit_reason;
		return 0;
	}
}

static long run_with_doorbell(struct kvm_vcpu *vcpu)
{
	bool exception = vcpu->injection.valid;
	long ret = 0;

	if (exception)
		ret = raise_exception(vcpu);
	if (!ret)
		ret = kvm_doorbell_before_run(vcpu, exception);
	if (!ret)
		ret = kvm_run_once(vcpu);
	kvm_doorbell_after_run(vcpu);
	return ret;
}

int kvm_run(struct hv_vcpu *hv_vcpu, struct hv_exit *exit)
{
	struct kvm_vcpu *vcpu = kvm_vcpu_of(hv_vcpu);
	long ret = run_with_doorbell(vcpu);

	if (ret == -EFAULT)
		ret = kvm_probe(vcpu, true, exit);
	else if (!ret)
		ret = kvm_understand(vcpu, exit);
	/* An interrupted run goes on where it was: see kvm_run_once(). */
	vcpu->regs_changed |= !ret && exit->reason != HV_EXIT_AGAIN;
	return ret;
}
