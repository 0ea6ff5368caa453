/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AMD SVM: what the files of this folder share. References are to the AMD64 Architecture
 * Programmer's Manual, volume 2 ("APM 2"), chapter 15.
 */
#ifndef DUNE_SVM_H
#define DUNE_SVM_H

#include <asm/svm.h>

#include "hypervisor.h"

struct svm_vcpu {
	struct vmcb *vmcb;
	int cpu;			/* where asid is valid, -1: nowhere */
	u64 asid_generation;
};

/* The low half: newer headers have 64 bits, and -1 of as many for a refused VMRUN. */
static inline u32 svm_exit_code(const struct vmcb_control_area *control)
{
	return control->exit_code;
}

/* svm.c */
void svm_vmcb_init(struct vmcb *vmcb, const u64 *tdp_root);
void svm_allow_debug_registers(struct vmcb *vmcb);
void svm_forward_machine_check(void);

/* cpu.c: a physical CPU in SVM operation */
int svm_cpu_enable(bool leased);
void svm_cpu_disable(void);
int svm_cpu_setup(void);
void svm_cpu_teardown(void);
/*
 * Interrupts off. Gives the vCPU an ASID that is valid on this CPU and returns the host's VMCB; 0
 * if this CPU has left SVM operation.
 */
phys_addr_t svm_cpu_prepare(struct svm_vcpu *svm, bool flush);
/* Interrupts still off, after VMRUN: what is left of the guest in this CPU. */
void svm_cpu_finish(struct vcpu *vcpu);
/* Interrupts off, after a refused VMRUN: it may not have done the flush it was asked for. */
void svm_cpu_forget(struct svm_vcpu *svm);
u8 svm_flush_this_asid(void);

/* beside.c: a CPU in the SVM operation of KVM's. Interrupts off for the first three. */
bool svm_in_operation(void);
void svm_beside_enter(void);
/* False: entries of the guest may still be in this CPU's TLB. */
bool svm_beside_leave(struct vm *vm, u32 asid);
int svm_beside_check(u32 asid);
int svm_beside_setup(void);
void svm_beside_teardown(void);

/* exits.c */
int svm_handle_exit(struct vcpu *vcpu);

/* events.c: what the guest's IDT gets to see */
void svm_inject(struct vcpu *vcpu, const struct dune_event *event);
bool svm_inject_interrupt(struct vcpu *vcpu, u8 vector);
void svm_interrupt_window(struct vcpu *vcpu, bool wanted);
void svm_queue_exception(struct vcpu *vcpu, u8 vector, bool has_error_code, u32 error_code);
void svm_queue_single_step(struct vcpu *vcpu);
void svm_requeue_interrupted_event(struct vcpu *vcpu);

/*
 * enter.S: one world switch. Interrupts off; on return they are off again, all host state is
 * back and the guest's general registers but RAX and RSP (these are in the VMCB) are in @regs.
 */
asmlinkage void svm_enter(struct dune_regs *regs, phys_addr_t guest_vmcb, phys_addr_t host_vmcb);

#endif /* DUNE_SVM_H */
