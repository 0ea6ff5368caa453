// SPDX-License-Identifier: BSD-2-Clause
/* Debug registers: the guest's own, whatever the host has in its. */
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "conformance.h"

#define DR6_FIXED 0xffff0ff0ull
#define DR6_B0	  (1ull << 0)
#define DR6_BD	  (1ull << 13)
#define DR6_BS	  (1ull << 14)
#define DR7_FIXED 0x400ull
#define DR7_GD	  (1ull << 13)
#define DR7_L0	  (1ull << 0)

GUEST(write_all, "mov %rax, %dr0; mov %rbx, %dr1; mov %rcx, %dr2; mov %rdx, %dr3; hlt");
GUEST(read_all, "mov %dr0, %rax; mov %dr1, %rbx; mov %dr2, %rcx; mov %dr3, %rdx; hlt");

CASE(debug_registers_are_kept)
{
	struct machine machine, sibling;
	struct dune_regs *regs;

	machine_create(&machine);
	machine_add_vcpu(&machine, &sibling);
	regs = &machine.run->regs;
	load(&machine, write_all);
	regs->rax = 0x1111;
	regs->rbx = 0x2222;
	regs->rcx = 0x3333;
	regs->rdx = 0x4444;
	expect_exit(&machine, DUNE_EXIT_HLT);
	/* Another vCPU has its own, zero so far. */
	load(&sibling, read_all);
	expect_exit(&sibling, DUNE_EXIT_HLT);
	check(!(sibling.run->regs.rax | sibling.run->regs.rbx | sibling.run->regs.rcx |
		sibling.run->regs.rdx), "another vCPU's");
	load(&machine, read_all);
	regs->rax = regs->rbx = regs->rcx = regs->rdx = 0;
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(regs->rax == 0x1111 && regs->rbx == 0x2222 && regs->rcx == 0x3333 &&
	      regs->rdx == 0x4444, "0x%llx, 0x%llx, 0x%llx, 0x%llx", regs->rax, regs->rbx,
	      regs->rcx, regs->rdx);
}

GUEST(read_status, "mov %dr6, %rax; mov %dr7, %rbx; hlt");

static void expect_status(struct machine *machine, uint64_t dr6, uint64_t dr7)
{
	load(machine, read_status);
	machine->run->regs.rflags = RFLAGS_FIXED;
	expect_exit(machine, DUNE_EXIT_HLT);
	check(machine->run->regs.rax == dr6 && machine->run->regs.rbx == dr7,
	      "DR6 0x%llx, DR7 0x%llx", machine->run->regs.rax, machine->run->regs.rbx);
}

CASE(debug_reset_values)
{
	struct machine machine;

	machine_create(&machine);
	expect_status(&machine, DR6_FIXED, DR7_FIXED);
}

GUEST(nops, "nop; nop; hlt");

static void single_step(struct machine *machine)
{
	struct trap *trap;

	load(machine, nops);
	machine->run->regs.rflags = RFLAGS_FIXED | RFLAGS_TF;
	trap = expect_trap(machine, DB, 0);
	check(trap->rip == GUEST_CODE + 1, "RIP 0x%lx", trap->rip);
	trap = expect_trap(machine, DB, 0);
	check(trap->rip == GUEST_CODE + 2, "RIP 0x%lx", trap->rip);
	trap->rflags &= ~RFLAGS_TF;
	expect_exit(machine, DUNE_EXIT_HLT);
	expect_status(machine, DR6_FIXED | DR6_BS, DR7_FIXED);
}

CASE(debug_single_step)
{
	struct machine machine;

	machine_create(&machine);
	machine.run->inject = (struct dune_event){ .valid = 1, .vector = UD };
	load(&machine, nops);
	expect_trap(&machine, UD, 0);
	expect_exit(&machine, DUNE_EXIT_HLT);	/* by now all memory is in that a trap needs */
	single_step(&machine);
}

/* Second-level faults on the way to an instruction and to its trap are no steps. */
CASE(debug_single_step_in_second_level)
{
	struct machine machine;

	machine_create(&machine);
	single_step(&machine);
	check(machine.run->faults >= 3, "only %llu second-level faults", machine.run->faults);
}

/*
 * Instructions that never run, for the hypervisor does them: behind each a step is due, before any
 * interrupt, and behind HLT in place of the halt.
 */
GUEST(stepped_over, "cpuid; out %al, $0x80; hlt; nop; hlt");

CASE(debug_single_step_over_exits)
{
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	load(&machine, stepped_over);
	expect_exit(&machine, DUNE_EXIT_IO);
	expect_exit(&machine, DUNE_EXIT_HLT);	/* by now the code is in */

	load(&machine, stepped_over);
	machine.run->regs.rflags = RFLAGS_FIXED | RFLAGS_TF;
	check(expect_trap(&machine, DB, 0)->rip == GUEST_CODE + 2, "CPUID");
	expect_exit(&machine, DUNE_EXIT_IO);
	check(expect_trap(&machine, DB, 0)->rip == GUEST_CODE + 4, "OUT");
	trap = expect_trap(&machine, DB, 0);
	check(trap->rip == GUEST_CODE + 5, "HLT");
	trap->rflags &= ~RFLAGS_TF;
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->regs.rip == GUEST_CODE + 7, "RIP 0x%llx", machine.run->regs.rip);
	expect_status(&machine, DR6_FIXED | DR6_BS, DR7_FIXED);
}

GUEST(step_or_interrupt, "out %al, $0x80; nop; hlt");

CASE(debug_single_step_before_interrupt)
{
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	load(&machine, step_or_interrupt);
	expect_exit(&machine, DUNE_EXIT_IO);
	expect_exit(&machine, DUNE_EXIT_HLT);	/* by now the code is in */

	load(&machine, step_or_interrupt);
	machine.run->regs.rflags = RFLAGS_FIXED | RFLAGS_TF | RFLAGS_IF;
	expect_exit(&machine, DUNE_EXIT_IO);
	machine_raise(&machine, 0x40);
	trap = expect_trap(&machine, DB, 0);
	check(trap->rip == GUEST_CODE + 2, "RIP 0x%lx", trap->rip);
	trap->rflags &= ~RFLAGS_TF;
	trap = expect_trap(&machine, 0x40, 0);
	check(trap->rip == GUEST_CODE + 2, "RIP 0x%lx at the interrupt", trap->rip);
	expect_exit(&machine, DUNE_EXIT_HLT);
}

/* The instruction that opens a shadow, stepped over: VT-x is particular about the two at once. */
GUEST(step_into_shadow, "sti; nop; hlt");

CASE(debug_single_step_of_sti)
{
	struct machine machine;
	struct trap *trap;

	skip_on_tcg("its STI holds single steps off too");
	machine_create(&machine);
	load(&machine, step_into_shadow);
	expect_exit(&machine, DUNE_EXIT_HLT);
	load(&machine, step_into_shadow);
	machine.run->regs.rflags = RFLAGS_FIXED | RFLAGS_TF;
	trap = expect_trap(&machine, DB, 0);
	check(trap->rip == GUEST_CODE + 1, "RIP 0x%lx", trap->rip);
	trap = expect_trap(&machine, DB, 0);
	check(trap->rip == GUEST_CODE + 2, "RIP 0x%lx behind NOP", trap->rip);
	trap->rflags &= ~RFLAGS_TF;
	expect_exit(&machine, DUNE_EXIT_HLT);
}

/* The process may change the flags of a guest that left from a shadow. */
GUEST(exit_in_shadow, "sti; mov %eax, 0x100000; hlt");

static void change_flags_in_shadow(uint64_t rflags)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, exit_in_shadow);
	*machine_pte(&machine, GUEST_SPARE) |= 1ull << 30;	/* guest-physical nowhere */
	expect_exit(&machine, DUNE_EXIT_MEMORY_FAULT);
	load(&machine, nops);
	machine.run->regs.rflags = rflags;
	if (rflags & RFLAGS_TF)
		expect_trap(&machine, DB, 0)->rflags &= ~RFLAGS_TF;
	expect_exit(&machine, DUNE_EXIT_HLT);
}

CASE(debug_shadow_ends_with_interrupts_off)
{
	change_flags_in_shadow(RFLAGS_FIXED);
}

CASE(debug_shadow_ends_with_step)
{
	change_flags_in_shadow(RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
}

GUEST(icebp, ".byte 0xf1; hlt");

CASE(debug_icebp)
{
	struct machine machine;

	skip_on_tcg("to it that is a matter of its own debugger");
	machine_create(&machine);
	load(&machine, icebp);
	check(expect_trap(&machine, DB, 0)->rip == GUEST_CODE + 1, "RIP");
	expect_exit(&machine, DUNE_EXIT_HLT);
}

/*
 * VMRUN copies DR7 and sets up no breakpoint behind it; the next host that clears DR7 takes a
 * breakpoint down that was never there.
 */
static const char tcg_crashes[] = "it crashes when VMRUN loads an armed DR7";

/* DR7: L0, of the kind in bits 16 to 19. */
GUEST(break_at, "lea 1f(%rip), %rax; mov %rax, %dr0; mov $0x401, %eax; mov %rax, %dr7; nop\n"
		"1: nop; hlt");
GUEST(watch_write, "mov $0x9000, %eax; mov %rax, %dr0; mov $0xd0401, %eax; mov %rax, %dr7\n"
		   "mov 0x9000, %ebx; mov %eax, 0x9000; nop; hlt");

CASE(debug_execute_breakpoint)
{
	struct machine machine;
	struct trap *trap;

	skip_on_tcg(tcg_crashes);
	machine_create(&machine);
	load(&machine, break_at);
	trap = expect_trap(&machine, DB, 0);
	check(trap->rip == GUEST_CODE + (break_at_end - break_at) - 2, "RIP 0x%lx", trap->rip);
	expect_status(&machine, DR6_FIXED | DR6_B0, DR7_FIXED | DR7_L0);
}

CASE(debug_write_watchpoint)
{
	struct machine machine;
	struct trap *trap;

	skip_on_tcg(tcg_crashes);
	machine_create(&machine);
	load(&machine, watch_write);
	trap = expect_trap(&machine, DB, 0);
	check(trap->rip == GUEST_CODE + (watch_write_end - watch_write) - 2, "RIP 0x%lx",
	      trap->rip);
	expect_status(&machine, DR6_FIXED | DR6_B0, 0xd0000 | DR7_FIXED | DR7_L0);
}

GUEST(general_detect, "mov $0x2400, %eax; mov %rax, %dr7; mov %dr0, %rbx; hlt");

CASE(debug_general_detect)
{
	struct machine machine;
	struct trap *trap;

	skip_on_tcg("it has no general detect");
	machine_create(&machine);
	load(&machine, general_detect);
	trap = expect_trap(&machine, DB, 0);
	check(trap->rip == GUEST_CODE + 8, "RIP 0x%lx", trap->rip);
	/* The trap has cleared DR7.GD, or its handler could do nothing. */
	expect_status(&machine, DR6_FIXED | DR6_BD, DR7_FIXED);
}

static void on_alarm(int signo)
{
	(void)signo;
}

/*
 * A watchpoint on the stack that the exception itself is pushed to: the CPU delivers one after the
 * other and would never take an interrupt, if #DB did not leave guest mode (CVE-2015-8104).
 */
GUEST(watch_stack, "mov $0x20000 - 8, %eax; mov %rax, %dr0; mov $0xd0401, %eax; mov %rax, %dr7\n"
		   "mov %eax, 0x1fff8\n1: jmp 1b");
GUEST(again, "mov $0x20000, %esp\n1: mov %eax, 0x1fff8; jmp 1b");

CASE(debug_endless_exceptions)
{
	struct itimerval soon = { .it_value.tv_usec = 100000 };
	struct machine machine;

	skip_on_tcg(tcg_crashes);
	machine_create(&machine);
	load(&machine, watch_stack);
	memcpy(machine.memory + GUEST_SPARE, again, again_end - again);
	machine_set_gate(&machine, DB, GUEST_SPARE);
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	check(ioctl(machine.vcpu, DUNE_RUN, 0) == 0, "RUN: %s", strerror(errno));
	while (machine.run->exit_reason == DUNE_EXIT_INTERRUPTED && soon.it_value.tv_usec) {
		check(ioctl(machine.vcpu, DUNE_RUN, 0) == 0, "RUN: %s", strerror(errno));
		getitimer(ITIMER_REAL, &soon);
	}
	check(machine.run->exit_reason == DUNE_EXIT_INTERRUPTED, "exit %s",
	      exit_name(machine.run->exit_reason));
	fprintf(stderr, "%llu entries", machine.run->entries);
}

static volatile int watched __attribute__((aligned(8)));

/* What perf or gdb have set for this thread still works behind a guest with its own. */
CASE(debug_breakpoints_of_the_host)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uint64_t)&watched,
		.bp_len = HW_BREAKPOINT_LEN_4,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	struct machine machine;
	uint64_t hits = 0;
	int fd;

	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	if (fd < 0)
		skip("no breakpoints here: %s", strerror(errno));
	machine_create(&machine);
	for (int i = 0; i < 10; i++) {
		load(&machine, write_all);
		machine.run->regs.rax = 0x9000;
		expect_exit(&machine, DUNE_EXIT_HLT);
		watched = i;
		load(&machine, read_all);
		expect_exit(&machine, DUNE_EXIT_HLT);
		check(machine.run->regs.rax == 0x9000, "DR0 0x%llx", machine.run->regs.rax);
	}
	check(read(fd, &hits, sizeof(hits)) == sizeof(hits) && hits == 10, "%lu hits of 10", hits);
}
