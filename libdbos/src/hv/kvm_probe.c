// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which access it was. KVM_RUN fails with EFAULT where the process may not access its own memory as
 * the guest just has, and does not say where or how (KVM_CAP_MEMORY_FAULT_INFO is for private
 * memory: for this kind it says nothing, and never the right that was missing).
 *
 * So the guest is asked. The vCPU repeats the instruction, single-stepped, on a page table of ours
 * that is empty, with an IDT of ours: each access of the instruction is now a page fault in the
 * guest, and the processor tells its address and kind in CR2 and the error code. What the guest's
 * own table says of the address goes into our table, with just that right, and the instruction is
 * repeated. When KVM_RUN fails again, it failed for the access that was let through last.
 *
 * If the instruction completes, or raises an exception of its own, the process's memory has changed
 * meanwhile, and there was nothing to report.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "hv/host_syscall.h"
#include "hv/kvm.h"

/* The pages of a probe: shown to the guest at PROBE_VA while it is probed, all but the pool. */
enum { PAGE_SEGMENTS, PAGE_CODE, PAGE_STACK, PAGE_ROOT, PAGE_OWN_TABLES, PAGE_POOL = 7 };

#define PAGE_SIZE  4096ull
#define PROBE_VA   0xffffff8000000000ull	/* PML4 entry 511, and 0 in the tables below */
#define PROBE_ROOT 511
#define VECTORS	   32
#define STUB_SIZE  8
#define STUBS_VA   (PROBE_VA + PAGE_CODE * PAGE_SIZE)
#define STACK_TOP  (PROBE_VA + (PAGE_STACK + 1) * PAGE_SIZE)

/* In PAGE_SEGMENTS. */
#define GDT_OFFSET 0x400
#define TSS_OFFSET 0x800
#define TSS_LIMIT  0x67

#define SELECTOR_CODE 0x08

#define PTE_P  (1ull << 0)
#define PTE_W  (1ull << 1)
#define PTE_U  (1ull << 2)
#define PTE_A  (1ull << 5)
#define PTE_D  (1ull << 6)
#define PTE_NX (1ull << 63)
#define TABLE  (PTE_P | PTE_W | PTE_U | PTE_A)

#define RFLAGS_TF (1ull << 8)

#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_PF 14

#define HAS_ERROR_CODE (1u << 8 | 0x1fu << 10 | 1u << 17)

#define ERROR_WRITE (1u << 1)
#define ERROR_USER  (1u << 2)
#define ERROR_FETCH (1u << 4)

/* More repetitions than any instruction has accesses. */
#define REPEATS_MAX 256

struct probe {
	struct kvm_vcpu *vcpu;
	struct kvm_sregs sregs;		/* the guest's own */
	struct kvm_regs regs;		/* of the guest when it was last set going */
	bool stepping;			/* it was single-stepping itself */
	unsigned int pool_used;
	uint64_t last_gpa;		/* what was let through last; 0 at first */
	uint32_t last_access;
};

static uint64_t *probe_page(const struct kvm_vcpu *vcpu, unsigned int page)
{
	return (uint64_t *)(vcpu->probe + page * PAGE_SIZE);
}

static uint64_t probe_page_gpa(const struct kvm_vcpu *vcpu, unsigned int page)
{
	return vcpu->probe_gpa + page * PAGE_SIZE;
}

/* Every gate an interrupt gate onto IST 1, and behind it an OUT, by whose place we know it. */
static void fill_gates(struct kvm_vcpu *vcpu)
{
	uint64_t *idt = probe_page(vcpu, PAGE_SEGMENTS);
	uint8_t *code = (uint8_t *)probe_page(vcpu, PAGE_CODE);

	for (unsigned int i = 0; i < VECTORS; i++) {
		uint64_t entry = STUBS_VA + i * STUB_SIZE;

		idt[2 * i] = (entry & 0xffff) | SELECTOR_CODE << 16 | 0x8e01ull << 32 |
			     (entry & 0xffff0000) << 32;
		idt[2 * i + 1] = entry >> 32;
		code[i * STUB_SIZE] = 0xe7;	/* OUT imm8, EAX */
	}
}

/* What the guest never changes: segments, code, and the way to them. */
void kvm_probe_init(struct kvm_vcpu *vcpu)
{
	char *segments = (char *)probe_page(vcpu, PAGE_SEGMENTS);
	uint64_t stack_top = STACK_TOP;
	uint64_t *upper = probe_page(vcpu, PAGE_ROOT) + PROBE_ROOT;

	fill_gates(vcpu);
	((uint64_t *)(segments + GDT_OFFSET))[SELECTOR_CODE / 8] = 0x00af9b000000ffffull;
	__builtin_memcpy(segments + TSS_OFFSET + 36, &stack_top, sizeof(stack_top)); /* IST 1 */
	for (unsigned int i = 0; i < 3; i++) {
		*upper = probe_page_gpa(vcpu, PAGE_OWN_TABLES + i) | TABLE;
		upper = probe_page(vcpu, PAGE_OWN_TABLES + i);
	}
	for (unsigned int i = PAGE_SEGMENTS; i <= PAGE_STACK; i++)
		upper[i] = probe_page_gpa(vcpu, i) | PTE_P | PTE_W | PTE_A | PTE_D;
}

static uint64_t *pool_page(struct probe *probe)
{
	uint64_t *page;

	if (PAGE_POOL + probe->pool_used == PROBE_PAGES)
		return NULL;
	page = probe_page(probe->vcpu, PAGE_POOL + probe->pool_used++);
	for (size_t i = 0; i < 512; i++)
		page[i] = 0;
	return page;
}

/* Adds what @access needs at @va to our table. A right that is there already stays. */
static bool let_through(struct probe *probe, uint64_t va, uint32_t access,
			const struct kvm_reach *to)
{
	uint64_t *table = probe_page(probe->vcpu, PAGE_ROOT), *entry, offset, old;

	for (unsigned int shift = 39; shift > 12; shift -= 9) {
		entry = &table[va >> shift & 511];
		if (*entry & PTE_P) {
			offset = (*entry & 0xffffffffff000ull) - probe->vcpu->probe_gpa;
			table = (uint64_t *)(probe->vcpu->probe + offset);
			continue;
		}
		table = pool_page(probe);
		if (!table)
			return false;
		offset = (char *)table - probe->vcpu->probe;
		*entry = (probe->vcpu->probe_gpa + offset) | TABLE;
	}
	entry = &table[va >> 12 & 511];
	old = *entry & PTE_P ? *entry : PTE_NX;
	*entry = (to->gpa & ~0xfffull) | PTE_P | PTE_A | PTE_D | (old & PTE_W) |
		 (to->user ? PTE_U : 0) | (access & DUNE_FAULT_WRITE ? PTE_W : 0) |
		 (access & DUNE_FAULT_EXEC ? 0 : old & PTE_NX);
	return true;
}

/* Onto our table, single-stepping. The next KVM_RUN takes it all in. */
static void begin(struct probe *probe)
{
	struct kvm_vcpu *vcpu = probe->vcpu;
	struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	uint64_t *root = probe_page(vcpu, PAGE_ROOT);

	for (size_t i = 0; i < PROBE_ROOT; i++)
		root[i] = 0;
	*sregs = probe->sregs;
	sregs->cr3 = probe_page_gpa(vcpu, PAGE_ROOT);
	sregs->idt = (struct kvm_dtable){ .base = PROBE_VA, .limit = VECTORS * 16 - 1 };
	sregs->gdt = (struct kvm_dtable){ .base = PROBE_VA + GDT_OFFSET, .limit = 15 };
	sregs->tr.base = PROBE_VA + TSS_OFFSET;
	sregs->tr.limit = TSS_LIMIT;
	vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	probe->stepping = vcpu->run->s.regs.regs.rflags & RFLAGS_TF;
	vcpu->run->s.regs.regs.rflags |= RFLAGS_TF;
	probe->regs = vcpu->run->s.regs.regs;
	vcpu->regs_changed = true;
}

/* Back onto the guest's own; what else the instruction may have changed stays. */
static int end(struct probe *probe, int ret)
{
	struct kvm_vcpu *vcpu = probe->vcpu;
	struct kvm_sregs sregs = vcpu->run->s.regs.sregs;
	struct kvm_regs *regs = &vcpu->run->s.regs.regs;
	long set;

	sregs.cr2 = probe->sregs.cr2;
	sregs.cr3 = probe->sregs.cr3;
	sregs.idt = probe->sregs.idt;
	sregs.gdt = probe->sregs.gdt;
	sregs.tr = probe->sregs.tr;
	sregs.cs = probe->sregs.cs;
	sregs.ss = probe->sregs.ss;
	if (!probe->stepping)
		regs->rflags &= ~RFLAGS_TF;
	vcpu->regs_changed = true;
	vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	vcpu->run->kvm_dirty_regs = 0;
	set = kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
	return set < 0 ? set : ret;
}

static void report(struct hv_exit *exit, uint64_t gpa, uint32_t access)
{
	exit->reason = HV_EXIT_FAULT;
	exit->gpa = gpa;
	exit->fault_flags = access & (DUNE_FAULT_WRITE | DUNE_FAULT_EXEC);
}

/*
 * Since Linux 6.5 the stack grows for the process's own accesses only, not for KVM's. A system call
 * that reads its argument is one: it fails for its signal, once it has the bytes.
 */
static bool grows(uint64_t hva)
{
	uint64_t page = hva & ~(PAGE_SIZE - 1);
	uint8_t there;

	if (host_syscall(SYS_mincore, page, PAGE_SIZE, (long)&there, 0, 0, 0) != -ENOMEM)
		return false;
	return host_syscall(SYS_rt_sigaction, SIGKILL, page, 0, sizeof(uint64_t), 0, 0) == -EINVAL;
}

/*
 * A stub has been reached. Takes the interrupted registers back from its stack; the rest of them
 * are untouched. Returns the vector.
 */
static unsigned int take_frame(struct probe *probe, uint64_t *error_code)
{
	struct kvm_regs *regs = &probe->vcpu->run->s.regs.regs;
	unsigned int vector = (regs->rip - STUBS_VA) / STUB_SIZE;
	const uint64_t *frame = (uint64_t *)(probe->vcpu->probe + (regs->rsp - PROBE_VA));

	*error_code = 0;
	if (HAS_ERROR_CODE >> vector & 1)
		*error_code = *frame++;
	regs->rip = frame[0];
	regs->rflags = frame[2];
	regs->rsp = frame[3];
	return vector;
}

/* A page fault on our table. True: the instruction can be repeated. */
static bool page_fault(struct probe *probe, uint64_t error_code, struct hv_exit *exit)
{
	struct kvm_vcpu *vcpu = probe->vcpu;
	uint64_t va = vcpu->run->s.regs.sregs.cr2, hva;
	uint32_t access = (error_code & ERROR_WRITE ? DUNE_FAULT_WRITE : 0) |
			  (error_code & ERROR_FETCH ? DUNE_FAULT_EXEC : 0) |
			  (error_code & ERROR_USER ? KVM_ACCESS_USER : 0);
	struct kvm_reach to;

	switch (kvm_walk(vcpu->vm, &probe->sregs, va, access, &to)) {
	case KVM_WALK_GUEST_FAULT:
		return false;	/* its own business: it will be raised on its own table */
	case KVM_WALK_TABLE_LOST:
		report(exit, to.gpa, DUNE_FAULT_WRITE);	/* accessed bits are written */
		return false;
	case KVM_WALK_OK:
		break;
	}
	if (!kvm_gpa_to_hva(vcpu->vm, to.gpa, &hva)) {
		report(exit, to.gpa, access);
		return false;
	}
	probe->last_gpa = to.gpa;
	probe->last_access = access;
	if (!let_through(probe, va, access, &to))
		return false;
	vcpu->run->s.regs.regs.rflags |= RFLAGS_TF;
	/* A fault in the guest leaves CS and SS those of the stub, and interrupts off. */
	vcpu->run->s.regs.sregs.cs = probe->sregs.cs;
	vcpu->run->s.regs.sregs.ss = probe->sregs.ss;
	vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	vcpu->regs_changed = true;
	probe->regs = vcpu->run->s.regs.regs;
	return true;
}

/* An exception on our IDT. True: repeat. */
static bool exception(struct probe *probe, struct hv_exit *exit)
{
	uint64_t error_code;
	unsigned int vector = take_frame(probe, &error_code);

	exit->reason = HV_EXIT_AGAIN;
	if (vector == VECTOR_PF)
		return page_fault(probe, error_code, exit);
	/* INT3 and INTO are traps: they are to happen again. */
	if (vector == VECTOR_BP || vector == VECTOR_OF)
		probe->vcpu->run->s.regs.regs = probe->regs;
	/* A guest that steps itself gets the step that this has taken for it. */
	if (vector == VECTOR_DB && probe->stepping)
		probe->vcpu->injection = (struct kvm_injection){ .valid = true,
								 .vector = VECTOR_DB };
	return false;
}

static bool at_stub(const struct kvm_run *run)
{
	return run->exit_reason == KVM_EXIT_IO &&
	       run->s.regs.regs.rip - STUBS_VA < VECTORS * STUB_SIZE;
}

/* Runs the instruction until that is over, or the access found. */
static int run_probe(struct probe *probe, struct hv_exit *exit)
{
	struct kvm_run *run = probe->vcpu->run;

	for (unsigned int i = 0; i < REPEATS_MAX; i++) {
		long ret;

		do
			ret = kvm_run_once(probe->vcpu);
		while (ret == -EINTR);
		if (ret == -EFAULT && probe->last_gpa) {
			report(exit, probe->last_gpa, probe->last_access);
			return 0;
		}
		if (ret < 0)
			return ret;
		/* After all it could be executed, and ends in an exit. */
		if (!at_stub(run) && run->exit_reason != KVM_EXIT_INTERNAL_ERROR)
			return kvm_understand(probe->vcpu, exit);
		if (!at_stub(run))
			break;
		if (!exception(probe, exit))
			return 0;
	}
	exit->reason = HV_EXIT_DEAD;
	exit->code = run->exit_reason;
	return 0;
}

int kvm_probe(struct kvm_vcpu *vcpu, bool delivering, struct hv_exit *exit)
{
	struct probe probe = { .vcpu = vcpu };
	uint64_t hva;
	long ret;

	ret = kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &probe.sregs);
	if (ret < 0)
		return ret;
	if (delivering) {
		ret = kvm_delivery_fault(vcpu, &probe.sregs, exit);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	/* The #UD that KVM has ready where it could not emulate goes as registers come in. */
	begin(&probe);
	ret = end(&probe, run_probe(&probe, exit));
	if (!ret && exit->reason == HV_EXIT_FAULT && kvm_gpa_to_hva(vcpu->vm, exit->gpa, &hva) &&
	    grows(hva))
		exit->reason = HV_EXIT_AGAIN;
	return ret;
}
