// SPDX-License-Identifier: BSD-2-Clause
/*
 * Instructions a guest may not execute: what is not switched between host and guest, and what
 * belongs to either vendor's virtualization. One table for both: an instruction of the other vendor
 * is undefined by nature, one of the own by decision.
 */
#include "conformance.h"

TRAP_CASE(intercept_rdpmc, "xor %ecx, %ecx", "rdpmc", GP, 0)
TRAP_CASE(intercept_invd, "", "invd", GP, 0)
TRAP_CASE(intercept_wbinvd, "", "wbinvd", GP, 0)
TRAP_CASE(intercept_monitor, "mov $0x9000, %eax; xor %ecx, %ecx; xor %edx, %edx", "monitor", UD, 0)
TRAP_CASE(intercept_mwait, "xor %eax, %eax; xor %ecx, %ecx", "mwait", UD, 0)
TRAP_CASE(intercept_rsm, "", "rsm", UD, 0)
TRAP_CASE(intercept_getsec, "xor %eax, %eax", "getsec", UD, 0)
TRAP_CASE(intercept_rdpru, "xor %ecx, %ecx", ".byte 0x0f, 0x01, 0xfd", UD, 0)

TRAP_CASE(intercept_vmrun, "mov $0x9000, %eax", ".byte 0x0f, 0x01, 0xd8", UD, 0)
TRAP_CASE(intercept_vmmcall, "", ".byte 0x0f, 0x01, 0xd9", UD, 0)
TRAP_CASE(intercept_vmload, "mov $0x9000, %eax", ".byte 0x0f, 0x01, 0xda", UD, 0)
TRAP_CASE(intercept_vmsave, "mov $0x9000, %eax", ".byte 0x0f, 0x01, 0xdb", UD, 0)
TRAP_CASE(intercept_stgi, "", ".byte 0x0f, 0x01, 0xdc", UD, 0)
TRAP_CASE(intercept_clgi, "", ".byte 0x0f, 0x01, 0xdd", UD, 0)
TRAP_CASE(intercept_skinit, "xor %eax, %eax", ".byte 0x0f, 0x01, 0xde", UD, 0)
TRAP_CASE(intercept_invlpga, "xor %eax, %eax; xor %ecx, %ecx", ".byte 0x0f, 0x01, 0xdf", UD, 0)

TRAP_CASE(intercept_vmcall, "", "vmcall", UD, 0)
TRAP_CASE(intercept_vmlaunch, "", "vmlaunch", UD, 0)
TRAP_CASE(intercept_vmresume, "", "vmresume", UD, 0)
TRAP_CASE(intercept_vmxoff, "", "vmxoff", UD, 0)
TRAP_CASE(intercept_vmxon, "mov $0x9000, %ebx", "vmxon (%rbx)", UD, 0)
TRAP_CASE(intercept_vmclear, "mov $0x9000, %ebx", "vmclear (%rbx)", UD, 0)
TRAP_CASE(intercept_vmptrld, "mov $0x9000, %ebx", "vmptrld (%rbx)", UD, 0)
TRAP_CASE(intercept_vmptrst, "mov $0x9000, %ebx", "vmptrst (%rbx)", UD, 0)
TRAP_CASE(intercept_vmread, "xor %eax, %eax", "vmread %rax, %rbx", UD, 0)
TRAP_CASE(intercept_vmwrite, "xor %eax, %eax", "vmwrite %rbx, %rax", UD, 0)
TRAP_CASE(intercept_invept, "mov $0x9000, %ebx; mov $2, %eax", "invept (%rbx), %rax", UD, 0)
TRAP_CASE(intercept_invvpid, "mov $0x9000, %ebx; mov $2, %eax", "invvpid (%rbx), %rax", UD, 0)

TRAP_CASE(intercept_write_cr0, "mov %cr0, %rax; xor $0x20000000, %eax", "mov %rax, %cr0", GP, 0)
TRAP_CASE(intercept_lmsw, "smsw %eax; or $8, %eax", "lmsw %ax", GP, 0)
TRAP_CASE(intercept_write_cr4, "mov %cr4, %rax; xor $0x80, %eax", "mov %rax, %cr4", GP, 0)
TRAP_CASE(intercept_read_cr8, "", "mov %cr8, %rax", GP, 0)
TRAP_CASE(intercept_write_cr8, "xor %eax, %eax", "mov %rax, %cr8", GP, 0)

GUEST(clts, "clts; hlt");

/* TS is clear. SVM intercepts every write to CR0, VT-x only one that changes a bit. */
CASE(intercept_clts)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, clts);
	if (machine_vendor(&machine) == DUNE_VENDOR_SVM)
		expect_trap(&machine, GP, 0);
	else
		expect_exit(&machine, DUNE_EXIT_HLT);
}

/* Sets what is set already: an emulator that lets it through changes the host's own XCR0. */
GUEST(xsetbv, "xor %ecx, %ecx; xgetbv; xsetbv; hlt");

CASE(intercept_xsetbv)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	machine_get_state(&machine, &state);
	if (!(state.cr4 & CR4_OSXSAVE))
		skip("no XSAVE");
	skip_on_tcg("it knows no XSETBV intercept");
	load(&machine, xsetbv);
	expect_trap(&machine, GP, 0);
}

/* The other side: what a guest's kernel does all the time, with not one exit. */
GUEST(free_of_charge, "mov %cr0, %rax; mov %cr2, %rax; mov %cr4, %rax\n"
		      "mov %cr3, %rax; mov %rax, %cr3; mov $0x9000, %ebx; invlpg (%rbx)\n"
		      "mov (%rbx), %rax; mov %rax, (%rbx)\n"
		      "sub $16, %rsp; sgdt (%rsp); lgdt (%rsp); sidt (%rsp); lidt (%rsp)\n"
		      "add $16, %rsp; swapgs; swapgs; pushf; sti; cli; popf; pause; str %ax\n"
		      "mov $0x10, %eax; mov %eax, %ds; mov %eax, %es; rdtsc; smsw %rax\n"
		      "hlt");

CASE(intercept_nothing_else)
{
	struct machine machine;
	uint64_t entries;

	machine_create(&machine);
	load(&machine, free_of_charge);
	expect_exit(&machine, DUNE_EXIT_HLT);	/* also faults the memory in */
	for (int try = 0; try < 100; try++) {
		entries = machine.run->entries;
		load(&machine, free_of_charge);
		expect_exit(&machine, DUNE_EXIT_HLT);
		if (machine.run->entries == entries + 1)
			return;
		/* A timer of the host may have come: not a hundred times in a row. */
	}
	check(false, "%llu entries", machine.run->entries - entries);
}
