// SPDX-License-Identifier: BSD-2-Clause
/* Making a virtual CPU: its memory, its segments, its control registers. */
#include <cpuid.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <asm/prctl.h>

#include "cpu/offsets.h"
#include "cpu/stat.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"

#define CR4_OSXSAVE (1ull << 18)

/* Cleared by SYSCALL: TF, IF, DF, IOPL, NT, AC. */
#define SYSCALL_FLAGS_MASK 0x47700ull

#define GDT_CODE64 0x00af9b000000ffffull
#define GDT_DATA   0x00cf93000000ffffull
#define GDT_USER_CODE64 0x00affb000000ffffull
#define GDT_USER_DATA	0x00cff3000000ffffull
#define GDT_NUMBER 0x0000910000000000ull	/* present, data, read-only, accessed */

#define ASSERT_OFFSET(type, member, offset) \
	_Static_assert(offsetof(struct type, member) == (offset), "offsets.h")
ASSERT_OFFSET(vcpu, self, VCPU_SELF);
ASSERT_OFFSET(vcpu, hook_state, VCPU_HOOK_STATE);
ASSERT_OFFSET(vcpu, xsave_size, VCPU_XSAVE_SIZE);
ASSERT_OFFSET(vcpu, trap_stack_lo, VCPU_TRAP_STACK_LO);
ASSERT_OFFSET(vcpu, trap_stack_hi, VCPU_TRAP_STACK_HI);
ASSERT_OFFSET(vcpu, host_stack, VCPU_HOST_STACK);
ASSERT_OFFSET(vcpu, scratch_rsp, VCPU_SCRATCH_RSP);
ASSERT_OFFSET(vcpu, regs, VCPU_REGS);
ASSERT_OFFSET(vcpu, flush_word, VCPU_FLUSH_WORD);
ASSERT_OFFSET(vcpu, flush_value, VCPU_FLUSH_VALUE);
ASSERT_OFFSET(vcpu, resume, VCPU_RESUME);
ASSERT_OFFSET(vcpu, in_ring3, VCPU_IN_RING3);
ASSERT_OFFSET(vcpu, ist_top, VCPU_IST_TOP);
ASSERT_OFFSET(vcpu, ring3_stack, VCPU_RING3_STACK);
ASSERT_OFFSET(vcpu, ring3_frame, VCPU_RING3_FRAME);
ASSERT_OFFSET(vcpu, ring3_cr3, VCPU_RING3_CR3);
ASSERT_OFFSET(dune_regs, rax, REGS_RAX);
ASSERT_OFFSET(dune_regs, rbx, REGS_RBX);
ASSERT_OFFSET(dune_regs, rcx, REGS_RCX);
ASSERT_OFFSET(dune_regs, rdx, REGS_RDX);
ASSERT_OFFSET(dune_regs, rsi, REGS_RSI);
ASSERT_OFFSET(dune_regs, rdi, REGS_RDI);
ASSERT_OFFSET(dune_regs, rsp, REGS_RSP);
ASSERT_OFFSET(dune_regs, rbp, REGS_RBP);
ASSERT_OFFSET(dune_regs, r8, REGS_R8);
ASSERT_OFFSET(dune_regs, r15, REGS_R15);
ASSERT_OFFSET(dune_regs, rip, REGS_RIP);
ASSERT_OFFSET(dune_regs, rflags, REGS_RFLAGS);
_Static_assert(sizeof(struct vcpu) <= 4096, "struct vcpu has one page of the mapping");

/* What XSAVE with all of XCR0 needs (SDM 1 13.2), a multiple of 64; 0 without XSAVE. */
static uint32_t xsave_size(uint64_t cr4)
{
	uint32_t eax, ebx, ecx, edx;

	if (!(cr4 & CR4_OSXSAVE))
		return 0;
	__cpuid_count(0xd, 0, eax, ebx, ecx, edx);
	return (ebx + 63) & ~63u;
}

/* No permission map of ports: for ring 3, whose IOPL is 0, all are closed. */
static void fill_segments(struct vcpu *vcpu)
{
	uint64_t tss = (uint64_t)&vcpu->tss;
	uint64_t limit = sizeof(vcpu->tss) - 1;

	vcpu->tss = (struct dbos_tss){ .iomap_base = sizeof(vcpu->tss) };
	for (int i = 0; i < IST_STACKS; i++)
		vcpu->tss.ist[i] = vcpu->ist_top + i * IST_STACK_SIZE;
	vcpu->gdt[0] = 0;
	vcpu->gdt[SELECTOR_CODE / 8] = GDT_CODE64;
	vcpu->gdt[SELECTOR_DATA / 8] = GDT_DATA;
	vcpu->gdt[SELECTOR_USER_CODE / 8] = GDT_USER_CODE64;
	vcpu->gdt[SELECTOR_USER_DATA / 8] = GDT_USER_DATA;
	/* Type 0xb: busy, as a loaded one is (SDM 3A 7.2.3). */
	vcpu->gdt[SELECTOR_TSS / 8] = limit | (tss & 0xffffff) << 16 | 0x8bull << 40 |
				      (tss >> 24 & 0xff) << 56;
	vcpu->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
}

static uint64_t host_segment_base(int which)
{
	uint64_t base = 0;

	host_syscall(SYS_arch_prctl, which, (long)&base, 0, 0, 0, 0);
	return base;
}

static int set_state(struct vcpu *vcpu)
{
	struct dbos *dbos = vcpu->dbos;
	struct dune_state state;
	int ret;

	ret = dbos->hv.ops->get_state(&vcpu->hv, &state);
	if (ret)
		return ret;
	state.cr3 = dbos->cr3;
	state.fs_base = host_segment_base(ARCH_GET_FS);
	state.gs_base = host_segment_base(ARCH_GET_GS);
	state.kernel_gs_base = (uint64_t)vcpu;
	state.lstar = (uint64_t)dbos_syscall_entry;
	/* SYSCALL loads CS from here and SS from the next descriptor; CPL 0 by definition. */
	state.star = (uint64_t)SELECTOR_CODE << 32;
	state.sfmask = SYSCALL_FLAGS_MASK;
	state.gdt_base = (uint64_t)vcpu->gdt;
	state.gdt_limit = sizeof(vcpu->gdt) - 1;
	state.idt_base = (uint64_t)dbos->idt;
	state.idt_limit = DBOS_IDT_SIZE - 1;
	state.tss_base = (uint64_t)&vcpu->tss;
	state.tss_limit = sizeof(vcpu->tss) - 1;
	state.cs = SELECTOR_CODE;
	state.ss = SELECTOR_DATA;
	state.tss_selector = SELECTOR_TSS;
	vcpu->xsave_size = xsave_size(state.cr4);
	return dbos->hv.ops->set_state(&vcpu->hv, &state);
}

static struct vcpu *map_vcpu(void)
{
	char *base = mmap(NULL, VCPU_MAPPING_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vcpu *vcpu = (struct vcpu *)base;
	char *ist, *trap;

	if (base == MAP_FAILED)
		return NULL;
	ist = base + 4096;
	trap = ist + IST_STACKS * IST_STACK_SIZE + GUARD_SIZE;
	if (mprotect(trap - GUARD_SIZE, GUARD_SIZE, PROT_NONE) < 0 ||
	    mprotect(trap + TRAP_STACK_SIZE, GUARD_SIZE, PROT_NONE) < 0) {
		munmap(base, VCPU_MAPPING_SIZE);
		return NULL;
	}
	for (int i = 0; i < IST_STACKS; i++)
		*(struct vcpu **)(ist + i * IST_STACK_SIZE) = vcpu;
	vcpu->self = vcpu;
	vcpu->trap_stack_lo = (uint64_t)trap;
	vcpu->trap_stack_hi = (uint64_t)trap + TRAP_STACK_SIZE;
	vcpu->host_stack = (uint64_t)base + VCPU_MAPPING_SIZE;
	vcpu->ist_top = (uint64_t)ist + IST_STACK_SIZE;
	fill_segments(vcpu);
	return vcpu;
}

/* It gets a number: from here on others may flush, call and stop it. */
static int join(struct vcpu *vcpu)
{
	int number = cpus_take(&vcpu->dbos->cpus, CPUS_ANY);

	if (number < 0)
		return -EAGAIN;
	vcpu->number = number;
	stat_begin(vcpu);
	vcpu->gdt[SELECTOR_NUMBER / 8] = GDT_NUMBER | number;
	doorbell_install(vcpu->dbos, number, vcpu);
	return 0;
}

/* For the calling thread, from user space. */
int vcpu_create(struct dbos *dbos, struct vcpu **out)
{
	struct vcpu *vcpu = map_vcpu();
	int ret;

	if (!vcpu)
		return -ENOMEM;
	vcpu->dbos = dbos;
	ret = dbos->hv.ops->vcpu_open(&dbos->hv, &vcpu->hv);
	if (ret)
		goto unmap;
	vcpu->regs = vcpu->hv.regs;
	ret = set_state(vcpu);
	if (!ret)
		ret = join(vcpu);
	if (ret)
		goto close;

	pthread_mutex_lock(&dbos->lock);
	vcpu->next = dbos->vcpus;
	dbos->vcpus = vcpu;
	/* Under the lock, so that a registration meanwhile sees us or is seen by us. */
	vcpu->hook_state = dbos->handlers.syscalls != NULL;
	pthread_mutex_unlock(&dbos->lock);
	*out = vcpu;
	return 0;

close:
	dbos->hv.ops->vcpu_close(&vcpu->hv);
unmap:
	munmap(vcpu, VCPU_MAPPING_SIZE);
	return ret;
}

void vcpu_unlink(struct vcpu *vcpu)
{
	struct dbos *dbos = vcpu->dbos;
	struct vcpu **link;

	stat_end(vcpu);
	timers_set(dbos, vcpu->number, 0);
	doorbell_remove(dbos, vcpu->number);
	cpus_give_back(&dbos->cpus, vcpu->number);
	pthread_mutex_lock(&dbos->lock);
	for (link = &dbos->vcpus; *link != vcpu; link = &(*link)->next)
		;
	*link = vcpu->next;
	pthread_mutex_unlock(&dbos->lock);
}

/* From user space, on a stack that is not the vCPU's own. */
void vcpu_destroy(struct vcpu *vcpu)
{
	vcpu_unlink(vcpu);
	vcpu->dbos->hv.ops->vcpu_close(&vcpu->hv);
	munmap(vcpu, VCPU_MAPPING_SIZE);
}
