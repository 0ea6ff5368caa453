/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Intel VT-x: what the files of this folder share. References are to the Intel 64 and IA-32
 * Architectures Software Developer's Manual ("SDM"), volume 3, whose chapters 25 to 30 these are
 * by the numbering of 2022.
 */
#ifndef DUNE_VMX_H
#define DUNE_VMX_H

#include <asm/desc.h>
#include <asm/vmx.h>

#include "hypervisor.h"

/* Newer kernels call it SECONDARY_EXEC_ENABLE_XSAVES. */
#define SECONDARY_XSAVES VMCS_CONTROL_BIT(XSAVES)

/* capabilities.c: the controls as this CPU takes them, and what it can do beyond. */
struct vmx_capabilities {
	u32 pin;
	u32 primary;
	u32 secondary;
	u32 exit;
	u32 entry;
	u32 revision;			/* of VMCS and VMXON regions */
	u32 watchdog_ticks;		/* of the preemption timer, if pin has it */
	bool ept_accessed_dirty;
	bool ept_2m, ept_1g;		/* leaves of this size */
};

/*
 * The MSRs that differ inside and outside and that no other field of the VMCS switches. The first
 * is the guest's to write (SWAPGS does, too), so it is also stored at an exit.
 */
enum vmx_switched_msr {
	SWITCHED_KERNEL_GS_BASE,
	SWITCHED_STAR,
	SWITCHED_LSTAR,
	SWITCHED_SFMASK,
	SWITCHED_MSRS,
};

/* One page: the CPU reads it by physical address and wants it aligned (SDM 3C 25.7.2). */
struct vmx_msr_areas {
	struct vmx_msr_entry guest[SWITCHED_MSRS];	/* loaded at entry; first stored at exit */
	struct vmx_msr_entry host[SWITCHED_MSRS];	/* loaded at exit */
};

/* What the CPU says of an exit, read before anybody else can use the VMCS. */
struct vmx_exit {
	bool failed;			/* VMLAUNCH or VMRESUME was refused: there was no exit */
	u32 reason;			/* or VM-instruction error, if failed */
	u32 length;			/* of the instruction that exits */
	u32 interruption;		/* exception or NMI that exits */
	u32 interruption_error;
	u32 event;			/* IDT-vectoring information */
	u32 event_error;
	u64 qualification;
	u64 gpa;
};

/* What the thread has in registers that an exit does not bring back. */
struct vmx_host_state {
	struct desc_ptr gdt, idt;
	u16 ds, es, fs, gs, ldt;
	u64 fs_base, cr3, cr4;
	u64 debugctl, pebs;
	u64 spec_ctrl;
};

struct vmx_vcpu {
	void *vmcs;
	struct vmx_msr_areas *msrs;
	/*
	 * A VMCS is active on one CPU at a time, which may keep parts of it in itself. These are
	 * that CPU's to change, with interrupts off.
	 */
	int cpu;			/* -1: nowhere; all of it is in memory */
	struct list_head active;
	bool launched;			/* since it became active there */
	bool host_stale;		/* the host's fields are those of another CPU */

	int tlb_cpu;			/* where its translations are up to date, or -1 */
	u16 vpid;
	u64 eptp;

	u64 cr2;			/* no field for it in the VMCS */
	u64 cr4;			/* as the guest sees it */
	u64 cstar;			/* of no effect on Intel, but it can be read back */
	u32 event;			/* to be delivered at the next entry */
	u32 event_error;
	bool shadow;			/* of STI or MOV SS, at the last exit */
	bool stepped_over;		/* so that shadow has ended */
	u64 rflags;			/* at the last exit */
	u32 primary;			/* controls for the next entry */
	u32 primary_written;
	u64 dr6;			/* of the guest; no field for it in the VMCS */
	bool clear_gd;			/* in DR7, at the next entry */
	struct vmx_exit exit;
	struct vmx_host_state host;
};

/* capabilities.c */
int vmx_capabilities_setup(void);
bool vmx_capabilities_same(void);	/* the CPU we run on is like the one at load */
const struct vmx_capabilities *vmx_capabilities(void);

/* cpu.c: a physical CPU in VMX operation, and which VMCS is on it */
int vmx_cpu_setup(void);
void vmx_cpu_teardown(void);
int vmx_cpu_enable(bool leased);
void vmx_cpu_disable(void);
int vmx_vmcs_create(struct vmx_vcpu *vmx);
void vmx_vmcs_destroy(struct vmx_vcpu *vmx);
/* Preemption off, interrupts on: takes the VMCS from the CPU it is on, if that is another one. */
void vmx_vmcs_fetch(struct vmx_vcpu *vmx);
/*
 * Interrupts off, after vmx_vmcs_fetch(): makes it the current VMCS. False: this CPU has left VMX
 * operation.
 */
bool vmx_vmcs_load(struct vmx_vcpu *vmx);
void vmx_vmcs_put(void);
/* All of it from process context, for what is read or written between two runs. */
bool vmx_vmcs_borrow(struct vmx_vcpu *vmx);
void vmx_vmcs_return(struct vmx_vcpu *vmx);

/* ept.c */
void vmx_ept_setup(void);
const struct tdp_format *vmx_tdp_format(void);
u64 vmx_eptp(u64 *root);
int vmx_vpid_alloc(void);
void vmx_vpid_free(u16 vpid);
void vmx_flush_everything(void);
void vmx_flush_vcpu(struct vmx_vcpu *vmx, bool flush);

/* guest_state.c */
int vmx_guest_setup(void);
void vmx_guest_teardown(void);
void vmx_guest_init(struct vmx_vcpu *vmx);
void vmx_get_state(struct vcpu *vcpu, struct dune_state *state);
int vmx_set_state(struct vcpu *vcpu, const struct dune_state *state);

/* host_state.c: interrupts off, VMCS loaded */
void vmx_host_save(struct vmx_vcpu *vmx);
void vmx_host_restore(struct vmx_vcpu *vmx);

/* exits.c */
int vmx_handle_exit(struct vcpu *vcpu);

/* events.c */
void vmx_queue_exception(struct vcpu *vcpu, u8 vector, bool has_error_code, u32 error_code);
void vmx_queue_debug_exception(struct vcpu *vcpu);
void vmx_requeue_interrupted_event(struct vcpu *vcpu);
void vmx_inject(struct vcpu *vcpu, const struct dune_event *event);
bool vmx_inject_interrupt(struct vcpu *vcpu, u8 vector);
void vmx_interrupt_window(struct vcpu *vcpu, bool wanted);

/*
 * enter.S: one world switch. Interrupts off, VMCS loaded. False: there was an exit, and the
 * guest's general registers but RSP are in @regs. True: the CPU refused to enter.
 */
asmlinkage bool vmx_enter(struct dune_regs *regs, bool launched, u64 spec_ctrl);
extern const char vmx_exit_point[];

#endif /* DUNE_VMX_H */
