// SPDX-License-Identifier: BSD-2-Clause
/* CPUID: the host's, less what a guest can't have; and what it promises works. */
#include <cpuid.h>

#include "conformance.h"

GUEST(cpuid, "cpuid; hlt");

struct leaf {
	uint32_t eax, ebx, ecx, edx;
};

static struct leaf guest_leaf(struct machine *machine, uint32_t eax, uint32_t ecx)
{
	struct dune_regs *regs = &machine->run->regs;

	load(machine, cpuid);
	regs->rax = 0xffffffff00000000 | eax;	/* only the lower half counts */
	regs->rcx = 0xffffffff00000000 | ecx;
	expect_exit(machine, DUNE_EXIT_HLT);
	check(!((regs->rax | regs->rbx | regs->rcx | regs->rdx) >> 32), "upper halves are kept");
	return (struct leaf){ regs->rax, regs->rbx, regs->rcx, regs->rdx };
}

static struct leaf host_leaf(uint32_t eax, uint32_t ecx)
{
	struct leaf leaf;

	__cpuid_count(eax, ecx, leaf.eax, leaf.ebx, leaf.ecx, leaf.edx);
	return leaf;
}

CASE(cpuid_vendor)
{
	struct leaf host = host_leaf(0, 0), guest;
	struct machine machine;

	machine_create(&machine);
	guest = guest_leaf(&machine, 0, 0);
	check(guest.ebx == host.ebx && guest.ecx == host.ecx && guest.edx == host.edx,
	      "another vendor");
}

#define LEAF1_MONITOR (1u << 3)
#define LEAF1_VMX     (1u << 5)
#define LEAF1_OSXSAVE (1u << 27)

CASE(cpuid_masks_leaf_1)
{
	struct machine machine;
	struct dune_state state;
	struct leaf host = host_leaf(1, 0), guest;

	machine_create(&machine);
	guest = guest_leaf(&machine, 1, 0);
	check(guest.eax == host.eax && guest.edx == host.edx, "EAX 0x%x, EDX 0x%x", guest.eax,
	      guest.edx);
	check(!(guest.ecx & (LEAF1_MONITOR | LEAF1_VMX)), "ECX 0x%x", guest.ecx);
	machine_get_state(&machine, &state);
	check(!!(guest.ecx & LEAF1_OSXSAVE) == !!(state.cr4 & CR4_OSXSAVE), "ECX 0x%x, CR4 0x%llx",
	      guest.ecx, state.cr4);
	/* It is the guest's own CR4 that shows. */
	state.cr4 &= ~CR4_OSXSAVE;
	machine_set_state(&machine, &state);
	guest = guest_leaf(&machine, 1, 0);
	check(!(guest.ecx & LEAF1_OSXSAVE), "ECX 0x%x without CR4.OSXSAVE", guest.ecx);
}

#define LEAF7_OSPKE (1u << 4)

CASE(cpuid_masks_leaf_7)
{
	struct machine machine;
	struct leaf guest;

	machine_create(&machine);
	guest = guest_leaf(&machine, 7, 0);
	check(!(guest.ecx & LEAF7_OSPKE), "ECX 0x%x", guest.ecx);
}

#define LEAF80000001_SVM (1u << 2)

CASE(cpuid_masks_svm)
{
	struct machine machine;
	struct leaf guest;

	machine_create(&machine);
	guest = guest_leaf(&machine, 0x80000001, 0);
	check(!(guest.ecx & LEAF80000001_SVM), "ECX 0x%x", guest.ecx);
}

CASE(cpuid_subleaf)
{
	struct leaf host = host_leaf(0xd, 2), guest;
	struct machine machine;

	machine_create(&machine);
	guest = guest_leaf(&machine, 0xd, 2);
	check(memcmp(&guest, &host, sizeof(host)) == 0, "EAX 0x%x, EBX 0x%x", guest.eax, guest.ebx);
}

/* A feature that is announced is there: a guest that believes CPUID meets no #UD. */
static void expect_promise_kept(bool announced(struct machine *machine), const char *code,
				const char *end)
{
	struct machine machine;

	machine_create(&machine);
	if (!announced(&machine))
		skip("not announced");
	machine_load(&machine, code, end);
	expect_exit(&machine, DUNE_EXIT_HLT);
}

#define PROMISE_CASE(id, leaf, subleaf, reg, bit, code)                                        \
	GUEST(id##_code, code "; hlt");                                                        \
	static bool id##_announced(struct machine *machine)                                    \
	{                                                                                      \
		return guest_leaf(machine, leaf, subleaf).reg & (1u << (bit));                 \
	}                                                                                      \
	CASE(id)                                                                               \
	{                                                                                      \
		expect_promise_kept(id##_announced, id##_code, id##_code_end);                 \
	}

PROMISE_CASE(cpuid_promise_rdtscp, 0x80000001, 0, edx, 27, "rdtscp")
PROMISE_CASE(cpuid_promise_rdpid, 7, 0, ecx, 22, "rdpid %rax")
PROMISE_CASE(cpuid_promise_rdrand, 1, 0, ecx, 30, "rdrand %rax")
PROMISE_CASE(cpuid_promise_rdseed, 7, 0, ebx, 18, "rdseed %rax")
PROMISE_CASE(cpuid_promise_invpcid, 7, 0, ebx, 10,
	     "mov $2, %eax; sub $16, %rsp; invpcid (%rsp), %rax")
PROMISE_CASE(cpuid_promise_xsave, 1, 0, ecx, 27,
	     "mov $0x9000, %ebx; mov $3, %eax; xor %edx, %edx; xsave (%rbx)")
PROMISE_CASE(cpuid_promise_xsaves, 0xd, 1, eax, 3,
	     "mov $0x9000, %ebx; mov $3, %eax; xor %edx, %edx; xsaves (%rbx)")
PROMISE_CASE(cpuid_promise_fsgsbase, 7, 0, ebx, 0, "rdfsbase %rax; wrfsbase %rax")
PROMISE_CASE(cpuid_promise_tpause, 7, 0, ecx, 5,
	     "xor %eax, %eax; xor %edx, %edx; xor %ecx, %ecx; tpause %ecx")
