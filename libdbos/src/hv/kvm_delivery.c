// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory that the processor itself accesses to deliver an exception: the gate, the code segment,
 * the place in the TSS where the stack is noted, and that stack. No instruction can be repeated to
 * learn which of them it was, but all are known.
 */
#include "hv/kvm.h"

/* Of a 64-bit TSS: RSP 0, and IST 1 to 7 (SDM 3A 7.7). */
#define TSS_RSP0 4
#define TSS_IST	 28

#define FRAME_SIZE 48	/* SS, RSP, RFLAGS, CS, RIP, error code */

struct access {
	uint64_t va;
	uint32_t kind;
};

/* False if @access can't be made: then *exit says where it ends. */
static bool possible(const struct kvm *vm, const struct kvm_sregs *sregs, struct access access,
		     struct hv_exit *exit)
{
	bool write = access.kind & DUNE_FAULT_WRITE;
	struct kvm_reach to;
	enum kvm_walk walk = kvm_walk(vm, sregs, access.va, access.kind, &to);
	uint64_t hva;

	if (walk == KVM_WALK_GUEST_FAULT ||
	    (walk == KVM_WALK_OK && kvm_gpa_to_hva(vm, to.gpa, &hva) &&
	     kvm_accessible(hva, write)))
		return true;
	exit->reason = HV_EXIT_FAULT;
	exit->gpa = to.gpa;
	exit->fault_flags = walk == KVM_WALK_OK ? access.kind : DUNE_FAULT_WRITE;
	return false;
}

/* The 8 bytes at @va; false if they can't be read, which possible() has found then. */
static bool read_word(const struct kvm *vm, const struct kvm_sregs *sregs, uint64_t va,
		      uint64_t *word)
{
	struct kvm_reach to;
	uint64_t hva;

	if (kvm_walk(vm, sregs, va, 0, &to) != KVM_WALK_OK || !kvm_gpa_to_hva(vm, to.gpa, &hva))
		return false;
	__builtin_memcpy(word, (void *)hva, sizeof(*word));
	return true;
}

/* The top of the stack that the gate at @gate asks for. */
static bool find_stack(const struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs, uint64_t gate,
		       uint64_t *top, struct hv_exit *exit)
{
	unsigned int ist = gate >> 32 & 7;
	struct access slot = { .va = sregs->tr.base + TSS_RSP0 };

	*top = vcpu->run->s.regs.regs.rsp & ~15ull;
	if (ist)
		slot.va = sregs->tr.base + TSS_IST + ist * 8;
	else if ((sregs->ss.dpl & 3) == 0)
		return true;
	if (!possible(vcpu->vm, sregs, slot, exit))
		return false;
	read_word(vcpu->vm, sregs, slot.va, top);
	return true;
}

int kvm_delivery_fault(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs, struct hv_exit *exit)
{
	struct kvm_vcpu_events events;
	uint64_t vector, gate, top;
	struct access entry, frame;
	long ret = kvm_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events);

	if (ret < 0)
		return ret;
	if (!events.exception.injected && !events.interrupt.injected)
		return 0;
	vector = events.exception.injected ? events.exception.nr : events.interrupt.nr;
	entry = (struct access){ .va = sregs->idt.base + vector * 16 };
	if (!possible(vcpu->vm, sregs, entry, exit) ||
	    !read_word(vcpu->vm, sregs, entry.va, &gate))
		return 1;
	entry.va = sregs->gdt.base + (gate >> 16 & 0xfff8);
	if (!possible(vcpu->vm, sregs, entry, exit) ||
	    !find_stack(vcpu, sregs, gate, &top, exit))
		return 1;
	for (uint64_t at = 8; at <= FRAME_SIZE; at += FRAME_SIZE - 8) {
		frame = (struct access){ .va = top - at, .kind = DUNE_FAULT_WRITE };
		if (!possible(vcpu->vm, sregs, frame, exit))
			return 1;
	}
	/* All is there by now: deliver it again. */
	exit->reason = HV_EXIT_AGAIN;
	return 1;
}
