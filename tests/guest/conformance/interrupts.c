// SPDX-License-Identifier: BSD-2-Clause
/*
 * External interrupts in one thread: when they are taken, in which order, and what ends HLT. The
 * counters in the run page tell by which way.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "conformance.h"

GUEST(nops, "nop; nop; hlt");

CASE(interrupt_before_first_entry)
{
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	load(&machine, nops);
	machine.run->regs.rflags |= RFLAGS_IF;
	machine_raise(&machine, 0x40);
	trap = expect_trap(&machine, 0x40, 0);
	check(trap->rip == GUEST_CODE, "after instructions: RIP 0x%lx", trap->rip);
	check(trap->rflags & RFLAGS_IF, "RFLAGS 0x%lx", trap->rflags);
	check(!(machine.run->regs.rflags & RFLAGS_IF), "the gate left interrupts on");
	check(machine.run->kicks == 0 && machine.run->interrupts == 1,
	      "%llu kicks, %llu interrupts", machine.run->kicks, machine.run->interrupts);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->interrupts == 1, "%llu interrupts", machine.run->interrupts);
}

CASE(interrupt_refused)
{
	static const unsigned long wrong[] = { 0, 2, 14, 31, 256, 1ul << 32 | 0x40, ~0ul };
	struct machine machine;

	machine_create(&machine);
	load(&machine, nops);
	machine.run->regs.rflags |= RFLAGS_IF;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		check(ioctl(machine.vcpu, DUNE_INTERRUPT, wrong[i]) == -1 && errno == EINVAL,
		      "0x%lx is taken", wrong[i]);
	expect_exit(&machine, DUNE_EXIT_HLT);
}

/* STI holds interrupts off for one more instruction, so this one comes behind the first NOP. */
GUEST(window, "out %al, $0x80; sti; nop; nop; hlt");

CASE(interrupt_waits_for_window)
{
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	load(&machine, window);
	machine_raise(&machine, 0x40);
	expect_exit(&machine, DUNE_EXIT_IO);	/* interrupts are off: nothing yet */
	check(machine.run->io.port == 0x80, "port 0x%x", machine.run->io.port);
	trap = expect_trap(&machine, 0x40, 0);
	check(trap->rip == GUEST_CODE + 4, "RIP 0x%lx", trap->rip);
	check(machine.run->interrupt_windows == 1, "%llu windows", machine.run->interrupt_windows);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->interrupt_windows == 1, "%llu windows", machine.run->interrupt_windows);
}

/*
 * The first MOV SS brings the GDT in: no exit comes between the other and STI. It stands apart from
 * STI, for of several instructions in a row that hold interrupts off only the first is sure to (SDM
 * 2B, MOV), and QEMU's TCG makes use of that.
 */
GUEST(stack_shadow, "mov $0x10, %eax; mov %eax, %ss; nop; sti; mov %eax, %ss; nop; hlt");

CASE(interrupt_waits_for_mov_ss)
{
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	load(&machine, stack_shadow);
	machine_raise(&machine, 0x40);
	trap = expect_trap(&machine, 0x40, 0);
	/* Whether MOV SS in the shadow of STI opens another one is the CPU's choice. */
	check(trap->rip == GUEST_CODE + 11 || trap->rip == GUEST_CODE + 12, "RIP 0x%lx", trap->rip);
}

/* What stands in the shadow exits for a second-level fault; behind the exit it still lasts. */
GUEST(sti_shadow, "sti; mov %eax, 0x100000; nop; hlt");

CASE(interrupt_shadow_outlasts_exit)
{
	struct machine machine;
	struct trap *trap;
	uint64_t faults;

	skip_on_tcg("its VMRUN (helper_vmrun) never reads the shadow that #VMEXIT has saved");
	machine_create(&machine);
	load(&machine, sti_shadow);
	expect_exit(&machine, DUNE_EXIT_HLT);	/* brings in all but the page */
	check(madvise(machine.memory + GUEST_SPARE, GUEST_PAGE, MADV_DONTNEED) == 0, "madvise");
	faults = machine.run->faults;
	load(&machine, sti_shadow);
	machine.run->regs.rflags &= ~RFLAGS_IF;
	machine_raise(&machine, 0x40);
	trap = expect_trap(&machine, 0x40, 0);
	check(trap->rip == GUEST_CODE + 8, "RIP 0x%lx", trap->rip);
	check(machine.run->faults > faults, "no second-level fault");
}

CASE(interrupt_highest_first)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, nops);
	machine.run->regs.rflags |= RFLAGS_IF;
	machine_raise(&machine, 0x41);
	machine_raise(&machine, 0xff);
	machine_raise(&machine, 0x20);
	machine_raise(&machine, 0xff);	/* is pending already */
	expect_trap(&machine, 0xff, 0);
	expect_trap(&machine, 0x41, 0);
	check(expect_trap(&machine, 0x20, 0)->rip == GUEST_CODE, "instructions in between");
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->interrupts == 3, "%llu interrupts", machine.run->interrupts);
}

/* No EOI: the vector is free again as soon as its handler runs, and waits for IRET only. */
CASE(interrupt_needs_no_eoi)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, nops);
	machine.run->regs.rflags |= RFLAGS_IF;
	machine_raise(&machine, 0x40);
	expect_trap(&machine, 0x40, 0);
	machine_raise(&machine, 0x40);
	machine_raise(&machine, 0x30);
	check(expect_trap(&machine, 0x40, 0)->rip == GUEST_CODE, "RIP");
	check(expect_trap(&machine, 0x30, 0)->rip == GUEST_CODE, "RIP");
	expect_exit(&machine, DUNE_EXIT_HLT);
}

GUEST(idle, "sti; hlt; nop; hlt");

CASE(interrupt_ends_hlt)
{
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	load(&machine, idle);
	machine_raise(&machine, 0x40);
	trap = expect_trap(&machine, 0x40, 0);
	/* The host came in the shadow of STI, which TCG's VMRUN forgets: once more. */
	for (int i = 0; is_tcg() && trap->rip == GUEST_CODE + 1 && i < 10; i++) {
		expect_exit(&machine, DUNE_EXIT_HLT);
		load(&machine, idle);
		machine.run->regs.rflags = RFLAGS_FIXED;
		machine_raise(&machine, 0x40);
		trap = expect_trap(&machine, 0x40, 0);
	}
	/* Not in that shadow: the guest halts, and no HLT is reported. */
	check(trap->rip == GUEST_CODE + 2, "RIP 0x%lx", trap->rip);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->regs.rip == GUEST_CODE + 4, "RIP 0x%llx", machine.run->regs.rip);
}

CASE(interrupt_after_hlt)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, idle);
	expect_exit(&machine, DUNE_EXIT_HLT);
	machine_raise(&machine, 0x40);
	check(expect_trap(&machine, 0x40, 0)->rip == GUEST_CODE + 2, "RIP");
	expect_exit(&machine, DUNE_EXIT_HLT);
}

GUEST(dead_halt, "cli; hlt; nop; sti; nop; hlt");

CASE(interrupt_does_not_end_hlt_if_off)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, dead_halt);
	machine_raise(&machine, 0x40);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->regs.rip == GUEST_CODE + 2, "RIP 0x%llx", machine.run->regs.rip);
	check(expect_trap(&machine, 0x40, 0)->rip == GUEST_CODE + 5, "RIP");
}

CASE(interrupt_behind_exception)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, nops);
	machine.run->regs.rflags |= RFLAGS_IF;
	machine_raise(&machine, 0x40);
	machine.run->inject = (struct dune_event){ .valid = 1, .vector = UD };
	check(expect_trap(&machine, UD, 0)->rip == GUEST_CODE, "RIP");
	check(expect_trap(&machine, 0x40, 0)->rip == GUEST_CODE, "RIP");
	expect_exit(&machine, DUNE_EXIT_HLT);
}

CASE(interrupt_on_ist)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, nops);
	machine_set_ist(&machine, 0x40, 1);
	machine.run->regs.rflags |= RFLAGS_IF;
	machine_raise(&machine, 0x40);
	expect_trap(&machine, 0x40, 0);
	check(machine.run->regs.rsp + sizeof(struct trap) == GUEST_IST1, "RSP 0x%llx",
	      machine.run->regs.rsp);
}

GUEST(user_idle, "pushq $0x1b; pushq $0x2c000; pushq $0x202; pushq $0x23; lea 1f(%rip), %rax\n"
		 "pushq %rax; iretq\n1: ud2");

CASE(interrupt_in_user_mode)
{
	struct machine machine;
	struct trap *trap;

	machine_create(&machine);
	load(&machine, user_idle);
	machine_raise(&machine, 0x40);
	trap = expect_trap(&machine, 0x40, 0);
	check(trap->cs == SELECTOR_USER_CODE && trap->rsp == GUEST_USER, "CS 0x%lx, RSP 0x%lx",
	      trap->cs, trap->rsp);
	check(machine.run->regs.rsp + sizeof(struct trap) == GUEST_RSP0, "RSP 0x%llx",
	      machine.run->regs.rsp);
	expect_trap(&machine, UD, 0);
}

/* Its delivery meets second-level faults for IDT, GDT, TSS and stack, and happens once. */
CASE(interrupt_in_second_level)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, nops);
	machine_set_ist(&machine, 0x40, 1);
	machine.run->regs.rflags |= RFLAGS_IF;
	machine_forget(&machine);
	machine_raise(&machine, 0x40);
	check(expect_trap(&machine, 0x40, 0)->rip == GUEST_CODE, "RIP");
	check(machine.run->interrupts == 1, "%llu interrupts", machine.run->interrupts);
	check(machine.run->faults >= 3, "only %llu second-level faults", machine.run->faults);
	expect_exit(&machine, DUNE_EXIT_HLT);
}

/* Cut off for good: the process puts an exception first, and the interrupt is not lost. */
CASE(interrupt_cut_off_is_pending)
{
	struct machine machine;
	uint64_t *pte;

	machine_create(&machine);
	load(&machine, nops);
	machine.run->regs.rflags |= RFLAGS_IF;
	pte = machine_pte(&machine, GUEST_STACK - 1);
	*pte ^= 1ull << 30;	/* guest-physical nowhere */
	machine_raise(&machine, 0x40);
	expect_exit(&machine, DUNE_EXIT_MEMORY_FAULT);
	check(machine.run->interrupts == 0, "%llu interrupts", machine.run->interrupts);
	*pte ^= 1ull << 30;
	machine.run->inject = (struct dune_event){ .valid = 1, .vector = UD };
	expect_trap(&machine, UD, 0);
	expect_trap(&machine, 0x40, 0);
	expect_exit(&machine, DUNE_EXIT_HLT);
}
