// SPDX-License-Identifier: BSD-2-Clause
/*
 * Exceptions: raised by the guest and taken by it without our doing, injected by the process, on
 * the stacks the guest's TSS names, from user mode, and nested.
 */
#include <errno.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "conformance.h"

TRAP_CASE(exception_divide, "xor %eax, %eax; xor %edx, %edx; xor %ecx, %ecx", "div %ecx", DE, 0)
TRAP_CASE(exception_undefined, "", "ud2", UD, 0)
TRAP_CASE(exception_not_present, "mov $0x38, %eax", "mov %eax, %ds", NP, 0x38)
TRAP_CASE(exception_protection, "mov $1, %eax; shl $63, %rax", "mov (%rax), %rax", GP, 0)
TRAP_CASE(exception_protection_selector, "mov $0x80, %eax", "mov %eax, %ds", GP, 0x80)
TRAP_CASE(exception_page, "xor %eax, %eax", "mov (%rax), %rax", PF, 0)
TRAP_CASE(exception_floating, "fninit; pushq $0x37b; fldcw (%rsp); fld1; fldz; fdivrp", "fwait",
	  MF, 0)

GUEST(through_rbp, "mov $1, %ebp; shl $63, %rbp; mov (%rbp), %rax; hlt");

CASE(exception_stack)
{
	struct machine machine;

	skip_on_tcg("it raises #GP in place of #SS");
	machine_create(&machine);
	load(&machine, through_rbp);
	expect_trap(&machine, SS, 0);
}

GUEST(undefined, "ud2; hlt");

/* These are traps: RIP is behind. */
GUEST(breakpoint, "int3; hlt");
GUEST(software_interrupt, "int $4; int $0x80; hlt");

CASE(exception_breakpoint)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, breakpoint);
	check(expect_trap(&machine, BP, 0)->rip == GUEST_CODE + 1, "RIP");
	expect_exit(&machine, DUNE_EXIT_HLT);
}

static void stay_on_this_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	check(sched_setaffinity(0, sizeof(one), &one) == 0, "sched_setaffinity");
}

/*
 * The first access to the IDT makes INT n exit half-way. What is then told of the event it was cut
 * off in must not be what the CPU remembers of an earlier one, so there is one.
 */
CASE(exception_software_interrupt)
{
	struct machine earlier, machine;

	stay_on_this_cpu();
	machine_create(&earlier);
	load(&earlier, undefined);
	expect_trap(&earlier, UD, 0);
	machine_create(&machine);
	load(&machine, software_interrupt);
	check(expect_trap(&machine, OF, 0)->rip == GUEST_CODE + 2, "RIP");
	check(expect_trap(&machine, 0x80, 0)->rip == GUEST_CODE + 4, "RIP");
	expect_exit(&machine, DUNE_EXIT_HLT);
}

/* 0 / 0 with the invalid-operation exception unmasked in MXCSR. */
GUEST(simd, "pushq $0x1f00; ldmxcsr (%rsp); xorps %xmm0, %xmm0\n"
	    "divss %xmm0, %xmm0; hlt");

CASE(exception_simd)
{
	struct machine machine;

	skip_on_tcg("it raises no SIMD exceptions");
	machine_create(&machine);
	load(&machine, simd);
	expect_trap(&machine, XM, 0);
}

/* CR2 is the guest's, and the process's page fault sets it. */
GUEST(read_cr2, "mov %cr2, %rax; hlt");

CASE(exception_cr2)
{
	static const uint64_t address = 0x7fff12345678;
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	load(&machine, read_cr2);
	machine.run->inject = (struct dune_event){
		.valid = 1, .vector = PF, .has_error_code = 1, .error_code = 6, .cr2 = address,
	};
	trap = expect_trap(&machine, PF, 6);
	check(trap->rip == GUEST_CODE, "RIP 0x%lx", trap->rip);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->regs.rax == address, "CR2 0x%llx", machine.run->regs.rax);
}

static bool has_error_code(unsigned int vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

static bool can_be_raised(unsigned int vector)
{
	return vector <= 1 || vector == 3 || (vector >= 6 && vector <= 8) ||
	       (vector >= 10 && vector <= 14) || (vector >= 16 && vector <= 19);
}

CASE(exception_injected_all)
{
	struct machine machine;

	machine_create(&machine);
	for (unsigned int vector = 0; vector < 256; vector++) {
		bool is_selector = has_error_code(vector) && vector != DF && vector != AC;
		uint32_t error_code = is_selector ? 0x18 : 0;
		struct trap *trap;

		load(&machine, read_cr2);
		machine.run->inject = (struct dune_event){
			.valid = 1,
			.vector = vector,
			.has_error_code = has_error_code(vector),
			.error_code = error_code,
		};
		if (!can_be_raised(vector)) {
			check(ioctl(machine.vcpu, DUNE_RUN, 0) == -1 && errno == EINVAL,
			      "vector %u is taken", vector);
			continue;
		}
		trap = expect_trap(&machine, vector, error_code);
		check(trap->rip == GUEST_CODE, "vector %u: RIP 0x%lx", vector, trap->rip);
		check(!machine.run->inject.valid, "vector %u is still there", vector);
		expect_exit(&machine, DUNE_EXIT_HLT);
	}
}

CASE(exception_injected_wrong)
{
	static const struct dune_event wrong[] = {
		{ .valid = 1, .vector = GP },				/* wants an error code */
		{ .valid = 1, .vector = UD, .has_error_code = 1 },	/* has none */
		{ .valid = 1, .vector = UD, .error_code = 1 },
		{ .valid = 1, .vector = GP, .has_error_code = 1, .error_code = 0x8000 },
		{ .valid = 1, .vector = GP, .has_error_code = 2 },
		{ .valid = 2, .vector = UD },
		{ .valid = 1, .vector = UD, .pad = 1 },
	};
	struct machine machine;

	machine_create(&machine);
	load(&machine, read_cr2);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		machine.run->inject = wrong[i];
		check(ioctl(machine.vcpu, DUNE_RUN, 0) == -1 && errno == EINVAL, "%zu is taken", i);
	}
	machine.run->inject.valid = 0;
	expect_exit(&machine, DUNE_EXIT_HLT);
}

static void expect_stack(const struct machine *machine, uint64_t top)
{
	uint64_t frame = machine->run->regs.rsp + sizeof(struct trap);

	/* The CPU aligns the new stack to 16 before it pushes (SDM 3A 6.14.2). */
	check(frame == top, "the frame ends at 0x%lx", frame);
}

CASE(exception_stack_own)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, undefined);
	check(expect_trap(&machine, UD, 0)->rsp == GUEST_STACK, "RSP");
	expect_stack(&machine, GUEST_STACK);
}

CASE(exception_stack_ist)
{
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	machine_set_ist(&machine, UD, 1);
	load(&machine, undefined);
	trap = expect_trap(&machine, UD, 0);
	check(trap->rsp == GUEST_STACK, "RSP 0x%lx", trap->rsp);
	expect_stack(&machine, GUEST_IST1);
	trap->rip += 2;
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->regs.rsp == GUEST_STACK, "RSP 0x%llx", machine.run->regs.rsp);
}

/* Down to CPL 3 by IRETQ; what follows runs there. */
#define ENTER_USER "pushq $0x1b; pushq $0x2c000; pushq $2; pushq $0x23; lea 1f(%rip), %rax\n"  \
		   "pushq %rax; iretq\n1:\n"

GUEST(user_undefined, ENTER_USER "ud2");
GUEST(user_halts, ENTER_USER "hlt");
GUEST(user_out, ENTER_USER "out %al, $0x80");
GUEST(user_reads_msr, ENTER_USER "rdmsr");
GUEST(user_reads, ENTER_USER "mov $0x100000, %ebx; mov (%rbx), %rax");
GUEST(user_syscall, ENTER_USER "syscall");

static struct trap *expect_user_trap(struct machine *machine, const char *code, const char *end,
				     unsigned int vector, uint64_t error_code)
{
	struct trap *trap;

	machine_load(machine, code, end);
	trap = expect_trap(machine, vector, error_code);
	check(trap->cs == SELECTOR_USER_CODE && trap->ss == SELECTOR_USER_DATA,
	      "CS 0x%lx, SS 0x%lx", trap->cs, trap->ss);
	check(trap->rsp == GUEST_USER, "RSP 0x%lx", trap->rsp);
	expect_stack(machine, GUEST_RSP0);
	return trap;
}

CASE(user_exception)
{
	struct machine machine;

	machine_create(&machine);
	expect_user_trap(&machine, user_undefined, user_undefined_end, UD, 0);
}

CASE(user_hlt)
{
	struct machine machine;

	machine_create(&machine);
	expect_user_trap(&machine, user_halts, user_halts_end, GP, 0);
}

/* RFLAGS.IOPL is 0 and the TSS has no permission map. */
CASE(user_port)
{
	struct machine machine;

	machine_create(&machine);
	expect_user_trap(&machine, user_out, user_out_end, GP, 0);
}

CASE(user_msr)
{
	struct machine machine;

	machine_create(&machine);
	expect_user_trap(&machine, user_reads_msr, user_reads_msr_end, GP, 0);
}

CASE(user_page_fault)
{
	struct machine machine;

	machine_create(&machine);
	*machine_pte(&machine, GUEST_SPARE) &= ~PTE_U;
	expect_user_trap(&machine, user_reads, user_reads_end, PF, 5);
}

GUEST(syscall_target, "hlt");

CASE(user_syscall_enters)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	load(&machine, user_syscall);
	memcpy(machine.memory + GUEST_SPARE, syscall_target, syscall_target_end - syscall_target);
	machine_get_state(&machine, &state);
	state.lstar = GUEST_SPARE;
	state.star = (uint64_t)SELECTOR_CODE << 32;
	machine_set_state(&machine, &state);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->regs.rcx == GUEST_CODE + (user_syscall_end - user_syscall), "RCX 0x%llx",
	      machine.run->regs.rcx);
}

/* An exception while an exception is delivered (SDM 3A 6.15, table 6-5). */
static const char tcg_nests_wrong[] = "a gate that is not present makes no double fault there";

CASE(nested_benign)
{
	struct machine machine;

	skip_on_tcg("its error code is sixteen times the vector");
	machine_create(&machine);
	machine_clear_gate(&machine, UD);
	load(&machine, undefined);
	/* IDT, and EXT: it is about the delivery of an earlier exception (SDM 3A 6.13). */
	expect_trap(&machine, NP, UD * 8 + 3);
}

GUEST(protection, "mov $0x80, %eax; mov %eax, %ds; hlt");

CASE(nested_double_fault)
{
	struct machine machine;

	skip_on_tcg(tcg_nests_wrong);
	machine_create(&machine);
	machine_clear_gate(&machine, GP);
	load(&machine, protection);
	expect_trap(&machine, DF, 0);
}

GUEST(bad_stack, "xor %esp, %esp; pushq %rax; hlt");

CASE(nested_double_fault_on_ist)
{
	struct machine machine;

	machine_create(&machine);
	machine_set_ist(&machine, DF, 1);
	load(&machine, bad_stack);
	expect_trap(&machine, DF, 0);
	expect_stack(&machine, GUEST_IST1);
}

CASE(nested_triple_fault)
{
	struct machine machine;

	skip_on_tcg(tcg_nests_wrong);
	machine_create(&machine);
	machine_clear_gate(&machine, GP);
	machine_clear_gate(&machine, DF);
	load(&machine, protection);
	expect_exit(&machine, DUNE_EXIT_SHUTDOWN);
}

CASE(nested_triple_fault_on_bad_stack)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, bad_stack);
	expect_exit(&machine, DUNE_EXIT_SHUTDOWN);
}

/*
 * Second-level faults cut a delivery off again and again (IDT, GDT, TSS, stack), each of them on an
 * exit of its own; in the end the guest has seen one exception, whole.
 */
CASE(nested_in_second_level)
{
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	machine_set_ist(&machine, GP, 1);
	load(&machine, protection);
	machine_forget(&machine);
	machine.run->inject = (struct dune_event){
		.valid = 1, .vector = GP, .has_error_code = 1, .error_code = 0x50,
	};
	trap = expect_trap(&machine, GP, 0x50);
	check(trap->rip == GUEST_CODE, "RIP 0x%lx", trap->rip);
	check(machine.run->faults >= 3, "only %llu second-level faults", machine.run->faults);
}

GUEST(int3_twice, "int3; int3; hlt");

CASE(nested_int3_in_second_level)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, int3_twice);
	expect_trap(&machine, BP, 0);
	machine_forget(&machine);
	check(expect_trap(&machine, BP, 0)->rip == GUEST_CODE + 2, "RIP");
	expect_exit(&machine, DUNE_EXIT_HLT);
}
