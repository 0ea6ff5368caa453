// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's state in its VMCS: what the guest starts with, what it may touch without leaving guest
 * mode, and how the process gets and sets the rest.
 *
 * CR0 and CR4 belong to the host bit by bit: the guest reads a shadow, and a write that differs
 * from it exits. (One that does not differ has no effect and does not exit, unlike under SVM.)
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/trapnr.h>

#include "vmx/vmcs.h"
#include "vmx/vmx.h"

#define ACCESS_CODE	0xa09b	/* G, L, P, S, type: execute/read, accessed (SDM 3C 25.4.1) */
#define ACCESS_DATA	0xc093	/* G, D/B, P, S, type: read/write, accessed */
#define ACCESS_TSS	0x008b	/* P, type: busy 64-bit TSS */
#define ACCESS_G	0x8000
#define ACCESS_UNUSABLE 0x10000

#define DR7_RESET 0x400
#define PAT_RESET 0x0007040600070406ULL	/* index 0 is write-back */
#define REQUIRED_CR0 (X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_PG)
#define REQUIRED_EFER (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX)

/* A bit for each MSR: reads of low and high ones, then writes (SDM 3C 25.6.9). */
static struct page *msr_bitmap;

static void msr_bitmap_allow(u32 msr)
{
	unsigned long *map = page_address(msr_bitmap);
	u32 bit = (msr & 0x1fff) + (msr >= 0xc0000000 ? 0x2000 : 0);

	__clear_bit(bit, map);
	__clear_bit(bit + 0x4000, map);
}

/*
 * The bases, which the VMCS or the MSR areas switch and which a guest kernel writes often. Every
 * other MSR exits, and most of these exits become #GP.
 */
int vmx_guest_setup(void)
{
	msr_bitmap = alloc_page(GFP_KERNEL);
	if (!msr_bitmap)
		return -ENOMEM;
	memset(page_address(msr_bitmap), 0xff, PAGE_SIZE);
	msr_bitmap_allow(MSR_FS_BASE);
	msr_bitmap_allow(MSR_GS_BASE);
	msr_bitmap_allow(MSR_KERNEL_GS_BASE);
	return 0;
}

void vmx_guest_teardown(void)
{
	if (msr_bitmap)
		__free_page(msr_bitmap);
	msr_bitmap = NULL;
}

static void init_controls(struct vmx_vcpu *vmx)
{
	const struct vmx_capabilities *caps = vmx_capabilities();

	vmcs_write(PIN_BASED_VM_EXEC_CONTROL, caps->pin);
	vmcs_write(CPU_BASED_VM_EXEC_CONTROL, caps->primary);
	vmx->primary = caps->primary;
	vmx->primary_written = caps->primary;
	vmcs_write(SECONDARY_VM_EXEC_CONTROL, caps->secondary);
	vmcs_write(VM_EXIT_CONTROLS, caps->exit);
	vmcs_write(VM_ENTRY_CONTROLS, caps->entry);
	if (caps->pin & PIN_BASED_VMX_PREEMPTION_TIMER)
		vmcs_write(VMX_PREEMPTION_TIMER_VALUE, caps->watchdog_ticks);
	vmcs_write(MSR_BITMAP, page_to_phys(msr_bitmap));
	vmcs_write(EPT_POINTER, vmx->eptp);
	vmcs_write(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	/* #DB and #AC can loop inside the CPU without ever taking an interrupt (CVE-2015-8104). */
	vmcs_write(EXCEPTION_BITMAP, BIT(X86_TRAP_MC) | BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC));
	vmcs_write(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write(CR3_TARGET_COUNT, 0);
	vmcs_write(CR0_GUEST_HOST_MASK, ~0ull);
	vmcs_write(CR4_GUEST_HOST_MASK, ~0ull);
	/* Supervisor state components are the host's: whoever touches one exits. */
	if (caps->secondary & SECONDARY_XSAVES)
		vmcs_write(XSS_EXIT_BITMAP, ~0ull);
	if (caps->secondary & SECONDARY_EXEC_ENCLS_EXITING)
		vmcs_write(ENCLS_EXITING_BITMAP, ~0ull);

	/* KERNEL_GS_BASE is stored where the next entry loads it from. */
	vmcs_write(VM_EXIT_MSR_STORE_COUNT, 1);
	vmcs_write(VM_EXIT_MSR_STORE_ADDR, __pa(vmx->msrs->guest));
	vmcs_write(VM_EXIT_MSR_LOAD_COUNT, SWITCHED_MSRS);
	vmcs_write(VM_EXIT_MSR_LOAD_ADDR, __pa(vmx->msrs->host));
	vmcs_write(VM_ENTRY_MSR_LOAD_COUNT, SWITCHED_MSRS);
	vmcs_write(VM_ENTRY_MSR_LOAD_ADDR, __pa(vmx->msrs->guest));
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmcs_write(VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
	vmcs_write(VM_ENTRY_INSTRUCTION_LEN, 0);
}

/* The fields of a segment have the distance of the encodings: two. */
static void init_segment(unsigned int index, u32 access)
{
	vmcs_write(GUEST_ES_SELECTOR + 2 * index, 0);
	vmcs_write(GUEST_ES_BASE + 2 * index, 0);
	vmcs_write(GUEST_ES_LIMIT + 2 * index, ~0u);
	vmcs_write(GUEST_ES_AR_BYTES + 2 * index, access);
}

static void init_segments(void)
{
	static const u32 access[] = {
		/* ES, CS, SS, DS, FS, GS, LDTR */
		ACCESS_DATA, ACCESS_CODE, ACCESS_DATA, ACCESS_DATA, ACCESS_DATA, ACCESS_DATA,
		ACCESS_UNUSABLE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(access); i++)
		init_segment(i, access[i]);
	vmcs_write(GUEST_TR_SELECTOR, 0);
	vmcs_write(GUEST_TR_BASE, 0);
	vmcs_write(GUEST_TR_LIMIT, 0xffff);
	vmcs_write(GUEST_TR_AR_BYTES, ACCESS_TSS);
	vmcs_write(GUEST_GDTR_BASE, 0);
	vmcs_write(GUEST_GDTR_LIMIT, 0);
	vmcs_write(GUEST_IDTR_BASE, 0);
	vmcs_write(GUEST_IDTR_LIMIT, 0);
}

static void set_cr0(u64 cr0)
{
	vmcs_write(GUEST_CR0, cr0);
	vmcs_write(CR0_READ_SHADOW, cr0);
}

/*
 * VMXE must be set in the guest (SDM 3D A.8). MCE stays as the host has it: without it a machine
 * check in guest mode shuts the processor down, before anybody is asked. The guest sees neither.
 */
static void set_cr4(struct vmx_vcpu *vmx, u64 cr4)
{
	vmx->cr4 = cr4;
	vmcs_write(GUEST_CR4, cr4 | X86_CR4_VMXE | (native_read_cr4() & X86_CR4_MCE));
	vmcs_write(CR4_READ_SHADOW, cr4);
}

/* VMCS loaded. */
void vmx_guest_init(struct vmx_vcpu *vmx)
{
	static const u32 switched[SWITCHED_MSRS] = {
		[SWITCHED_KERNEL_GS_BASE] = MSR_KERNEL_GS_BASE,
		[SWITCHED_STAR] = MSR_STAR,
		[SWITCHED_LSTAR] = MSR_LSTAR,
		[SWITCHED_SFMASK] = MSR_SYSCALL_MASK,
	};
	unsigned int i;

	for (i = 0; i < SWITCHED_MSRS; i++) {
		vmx->msrs->guest[i].index = switched[i];
		vmx->msrs->host[i].index = switched[i];
	}
	init_controls(vmx);
	init_segments();
	set_cr0(REQUIRED_CR0);
	set_cr4(vmx, guest_cr4_allowed());
	vmcs_write(GUEST_CR3, 0);
	vmcs_write(GUEST_DR7, DR7_RESET);
	vmx->dr6 = DR6_RESERVED;
	vmcs_write(GUEST_IA32_EFER, REQUIRED_EFER);
	vmcs_write(GUEST_IA32_PAT, PAT_RESET);
	vmcs_write(GUEST_IA32_DEBUGCTL, 0);
	vmcs_write(GUEST_SYSENTER_CS, 0);
	vmcs_write(GUEST_SYSENTER_ESP, 0);
	vmcs_write(GUEST_SYSENTER_EIP, 0);
	vmcs_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmcs_write(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmcs_write(VMCS_LINK_POINTER, NO_VMCS);
}

void vmx_get_state(struct vcpu *vcpu, struct dune_state *state)
{
	struct vmx_vcpu *vmx = vcpu->vendor;

	if (!vmx_vmcs_borrow(vmx))
		return;
	*state = (struct dune_state){
		.cr0 = vmcs_read(CR0_READ_SHADOW),
		.cr3 = vmcs_read(GUEST_CR3),
		.cr4 = vmx->cr4,
		.efer = vmcs_read(GUEST_IA32_EFER),
		.fs_base = vmcs_read(GUEST_FS_BASE),
		.gs_base = vmcs_read(GUEST_GS_BASE),
		.kernel_gs_base = vmx->msrs->guest[SWITCHED_KERNEL_GS_BASE].value,
		.star = vmx->msrs->guest[SWITCHED_STAR].value,
		.lstar = vmx->msrs->guest[SWITCHED_LSTAR].value,
		.sfmask = vmx->msrs->guest[SWITCHED_SFMASK].value,
		.gdt_base = vmcs_read(GUEST_GDTR_BASE),
		.gdt_limit = vmcs_read(GUEST_GDTR_LIMIT),
		.idt_base = vmcs_read(GUEST_IDTR_BASE),
		.idt_limit = vmcs_read(GUEST_IDTR_LIMIT),
		.tss_base = vmcs_read(GUEST_TR_BASE),
		.tss_limit = vmcs_read(GUEST_TR_LIMIT),
		.cs = vmcs_read(GUEST_CS_SELECTOR),
		.ss = vmcs_read(GUEST_SS_SELECTOR),
		.tss_selector = vmcs_read(GUEST_TR_SELECTOR),
	};
	vmx_vmcs_return(vmx);
}

/* A limit of more than 20 bits counts pages, and must say so (SDM 3C 27.3.1.2). */
static void set_tss_limit(u32 limit)
{
	bool pages = limit >> 20;

	vmcs_write(GUEST_TR_LIMIT, pages ? limit | 0xfff : limit);
	vmcs_write(GUEST_TR_AR_BYTES, ACCESS_TSS | (pages ? ACCESS_G : 0));
}

int vmx_set_state(struct vcpu *vcpu, const struct dune_state *state)
{
	struct vmx_vcpu *vmx = vcpu->vendor;

	if (state->cr0 != REQUIRED_CR0 && state->cr0 != (REQUIRED_CR0 & ~X86_CR0_WP))
		return -EINVAL;
	if (state->efer != REQUIRED_EFER || !(state->cr4 & X86_CR4_PAE) ||
	    (state->cr4 & ~guest_cr4_allowed()))
		return -EINVAL;
	if (state->cr3 >> boot_cpu_data.x86_phys_bits)
		return -EINVAL;

	if (!vmx_vmcs_borrow(vmx))
		return -EIO;
	set_cr0(state->cr0);
	set_cr4(vmx, state->cr4);
	vmcs_write(GUEST_CR3, state->cr3);
	vmcs_write(GUEST_FS_BASE, state->fs_base);
	vmcs_write(GUEST_GS_BASE, state->gs_base);
	vmx->msrs->guest[SWITCHED_KERNEL_GS_BASE].value = state->kernel_gs_base;
	vmx->msrs->guest[SWITCHED_STAR].value = state->star;
	vmx->msrs->guest[SWITCHED_LSTAR].value = state->lstar;
	vmx->msrs->guest[SWITCHED_SFMASK].value = state->sfmask;
	vmcs_write(GUEST_GDTR_BASE, state->gdt_base);
	vmcs_write(GUEST_GDTR_LIMIT, (u16)state->gdt_limit);
	vmcs_write(GUEST_IDTR_BASE, state->idt_base);
	vmcs_write(GUEST_IDTR_LIMIT, (u16)state->idt_limit);
	vmcs_write(GUEST_TR_BASE, state->tss_base);
	set_tss_limit(state->tss_limit);
	vmcs_write(GUEST_CS_SELECTOR, state->cs);
	vmcs_write(GUEST_SS_SELECTOR, state->ss);
	vmcs_write(GUEST_TR_SELECTOR, state->tss_selector);
	vmx_vmcs_return(vmx);
	return 0;
}
