// SPDX-License-Identifier: BSD-2-Clause
/*
 * Vector registers, between the thread and its vCPU. KVM keeps the guest's apart from the
 * thread's, so they travel twice in the life of a guest: in when it enters, out when it leaves.
 */
#include <string.h>

#include "hv/kvm.h"

/* XSAVE writes only part of the header, KVM and XRSTOR want the rest zero (SDM 1 13.4.2). */
#define XSAVE_HEADER	  512
#define XSAVE_HEADER_SIZE 64

int kvm_vectors_in(struct hv_vcpu *hv_vcpu)
{
	struct kvm_vcpu *vcpu = kvm_vcpu_of(hv_vcpu);
	uint64_t components = vcpu->vm->xcr0;

	__builtin_memset(vcpu->xsave + XSAVE_HEADER, 0, XSAVE_HEADER_SIZE);
	__asm__ volatile("xsave64 %0"
			 : "+m"(vcpu->xsave)
			 : "a"((uint32_t)components), "d"((uint32_t)(components >> 32)));
	return kvm_ioctl(vcpu->fd, KVM_SET_XSAVE, vcpu->xsave);
}

int kvm_vectors_out(struct hv_vcpu *hv_vcpu)
{
	struct kvm_vcpu *vcpu = kvm_vcpu_of(hv_vcpu);
	uint64_t components = vcpu->vm->xcr0;
	long ret = kvm_ioctl(vcpu->fd, KVM_GET_XSAVE, vcpu->xsave);

	if (ret < 0)
		return ret;
	__asm__ volatile("xrstor64 %0"
			 :
			 : "m"(vcpu->xsave), "a"((uint32_t)components),
			   "d"((uint32_t)(components >> 32)));
	return 0;
}
