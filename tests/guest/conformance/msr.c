// SPDX-License-Identifier: BSD-2-Clause
/* MSRs: the few that are the guest's, and #GP for all others, the host's state untouched. */
#include <cpuid.h>

#include "conformance.h"

#define MSR_EFER 0xc0000080u

GUEST(read_msr, "rdmsr; hlt");
GUEST(write_msr, "wrmsr; hlt");
GUEST(write_read_msr, "wrmsr; xor %eax, %eax; xor %edx, %edx; rdmsr; hlt");

static const uint32_t own[] = {
	0xc0000100, 0xc0000101, 0xc0000102,	/* FS_BASE, GS_BASE, KERNEL_GS_BASE */
	0xc0000081, 0xc0000082, 0xc0000084,	/* STAR, LSTAR, FMASK */
};

CASE(msr_own)
{
	struct machine machine;

	machine_create(&machine);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		/* FMASK has 32 bits; all of these are canonical addresses besides. */
		uint64_t value = own[i] == 0xc0000084 ? 0x47700 : 0x7fff12345000 + i;

		load(&machine, write_read_msr);
		machine.run->regs.rcx = own[i];
		machine.run->regs.rax = (uint32_t)value;
		machine.run->regs.rdx = value >> 32;
		expect_exit(&machine, DUNE_EXIT_HLT);
		value ^= machine.run->regs.rdx << 32 | machine.run->regs.rax;
		check(value == 0, "MSR 0x%x: other bits 0x%lx", own[i], value);
	}
}

/* Architectural, each vendor's, and none: of every range that a permission map has or lacks. */
static const uint32_t foreign[] = {
	0x0, 0x10, 0x1b, 0x3a, 0x48, 0x49, 0x8b, 0xc1, 0xfe, 0x10a, 0x122, 0x174, 0x175, 0x176,
	0x179, 0x186, 0x198, 0x1a0, 0x1d9, 0x200, 0x277, 0x2ff, 0x345, 0x38f, 0x480, 0x491, 0x600,
	0x6a0, 0x6a2, 0x6e0, 0x800, 0x80b, 0x830, 0xda0, 0x1fff, 0x2000, 0x40000000, 0x4b564d00,
	0xbfffffff, MSR_EFER, 0xc0000103, 0xc0000104, 0xc0001fff, 0xc0002000, 0xc0010000,
	0xc0010010, 0xc0010015, 0xc001001f, 0xc0010114, 0xc0010115, 0xc0010117, 0xc0011fff,
	0xc0012000, 0xffffffff,
};

static void expect_refused(const char *code, const char *end)
{
	struct machine machine;

	machine_create(&machine);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		const struct trap *trap;

		machine_load(&machine, code, end);
		machine.run->regs.rcx = foreign[i];
		machine.run->regs.rax = 1;
		machine.run->regs.rdx = 0;
		machine_run(&machine);
		check(machine.run->exit_reason == DUNE_EXIT_IO, "MSR 0x%x: exit %s", foreign[i],
		      exit_name(machine.run->exit_reason));
		trap = (void *)(machine.memory + machine.run->regs.rsp);
		check(trap->vector == GP && trap->error_code == 0 && trap->rip == GUEST_CODE,
		      "MSR 0x%x: trap %lu, error code 0x%lx", foreign[i], trap->vector,
		      trap->error_code);
	}
}

CASE(msr_foreign_read)
{
	expect_refused(read_msr, read_msr_end);
}

CASE(msr_foreign_write)
{
	expect_refused(write_msr, write_msr_end);
}

GUEST(time_stamp, "rdtsc; hlt");

static uint64_t host_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

static uint64_t guest_tsc(struct machine *machine)
{
	load(machine, time_stamp);
	expect_exit(machine, DUNE_EXIT_HLT);
	return machine->run->regs.rdx << 32 | machine->run->regs.rax;
}

CASE(tsc_is_the_hosts)
{
	struct machine machine;

	machine_create(&machine);
	for (int i = 0; i < 100; i++) {
		uint64_t before = host_tsc(), inside = guest_tsc(&machine), after = host_tsc();

		check(before <= inside && inside <= after, "%lu, %lu inside, %lu", before, inside,
		      after);
	}
}

GUEST(time_stamp_aux, "rdtscp; hlt");

CASE(tsc_aux_is_the_hosts)
{
	struct machine machine;
	unsigned int aux = 0, eax, ebx, ecx, edx;

	__cpuid(0x80000001, eax, ebx, ecx, edx);
	if (!(edx & (1u << 27)))
		skip("no RDTSCP");
	machine_create(&machine);
	for (int i = 0; i < 100; i++) {
		load(&machine, time_stamp_aux);
		expect_exit(&machine, DUNE_EXIT_HLT);
		__builtin_ia32_rdtscp(&aux);
		if (machine.run->regs.rcx == aux)
			return;
		/* Moved to another CPU in between: not a hundred times in a row. */
	}
	check(false, "0x%llx inside, 0x%x outside", machine.run->regs.rcx, aux);
}
