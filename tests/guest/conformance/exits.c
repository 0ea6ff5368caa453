// SPDX-License-Identifier: BSD-2-Clause
/* Every exit reason: what the process is told, and where the guest stands then. */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "conformance.h"

#define NOWHERE (1ull << 30)	/* guest-physical, behind the only slot */

GUEST(hlt, "mov $0x1234, %eax; hlt; mov $0x5678, %eax; hlt");

CASE(exit_hlt)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, hlt);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->regs.rax == 0x1234, "RAX is 0x%llx", machine.run->regs.rax);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->regs.rax == 0x5678, "RAX is 0x%llx", machine.run->regs.rax);
	check(machine.run->regs.rip == GUEST_CODE + (hlt_end - hlt), "RIP is 0x%llx",
	      machine.run->regs.rip);
}

GUEST(spin_off, "cli\n1: jmp 1b");

CASE(exit_interrupted)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, spin_off);
	machine.run->immediate_exit = 1;
	check(ioctl(machine.vcpu, DUNE_RUN, 0) == 0, "RUN: %s", strerror(errno));
	check(machine.run->exit_reason == DUNE_EXIT_INTERRUPTED && machine.run->entries == 0,
	      "exit %s after %llu entries", exit_name(machine.run->exit_reason),
	      machine.run->entries);
}

GUEST(out_in, "mov $0x11223344, %eax; mov $0xfedc, %dx\n"
	      "out %al, $0x80; out %ax, $0x81; out %eax, $0x82; out %al, (%dx); out %ax, (%dx)\n"
	      "mov $0xffff, %dx; out %eax, (%dx)\n"
	      "in $0x83, %al; in (%dx), %ax; in (%dx), %eax; hlt");

static void expect_io(struct machine *machine, unsigned int port, unsigned int size, bool is_write)
{
	const struct dune_run *run = machine->run;

	expect_exit(machine, DUNE_EXIT_IO);
	check(run->io.port == port && run->io.size == size && run->io.is_write == is_write,
	      "port 0x%x, size %u, %s", run->io.port, run->io.size,
	      run->io.is_write ? "OUT" : "IN");
}

CASE(exit_io)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, out_in);
	expect_io(&machine, 0x80, 1, true);
	check(machine.run->regs.rax == 0x11223344, "RAX is 0x%llx", machine.run->regs.rax);
	expect_io(&machine, 0x81, 2, true);
	expect_io(&machine, 0x82, 4, true);
	expect_io(&machine, 0xfedc, 1, true);
	expect_io(&machine, 0xfedc, 2, true);
	expect_io(&machine, 0xffff, 4, true);
	expect_io(&machine, 0x83, 1, false);
	expect_io(&machine, 0xffff, 2, false);
	expect_io(&machine, 0xffff, 4, false);
	machine.run->regs.rax = 0xaabbccdd;
	expect_exit(&machine, DUNE_EXIT_HLT);
	check(machine.run->regs.rax == 0xaabbccdd, "RAX is 0x%llx", machine.run->regs.rax);
}

TRAP_CASE(exit_io_string_out, "mov $0x80, %dx; mov $0x9000, %esi", "outsb", GP, 0)
TRAP_CASE(exit_io_string_in, "mov $0x80, %dx; mov $0x9000, %edi; mov $4, %ecx", "rep insb", GP, 0)

GUEST(touch, "mov $0x100000, %ebx\n"
	     "mov (%rbx), %rax\n"
	     "hlt\n"
	     "mov %rax, (%rbx)\n"
	     "hlt\n"
	     "jmp *%rbx");

/* Faults stay at their instruction: the process may repair what is missing and run on. */
static void expect_fault(struct machine *machine, uint64_t gpa, uint32_t flags)
{
	const struct dune_run *run = machine->run;

	expect_exit(machine, DUNE_EXIT_MEMORY_FAULT);
	check((run->fault.gpa & ~(GUEST_PAGE - 1)) == gpa && run->fault.flags == flags,
	      "at 0x%llx, flags 0x%x", run->fault.gpa, run->fault.flags);
}

CASE(exit_memory_fault)
{
	struct machine machine;
	uint64_t *pte;

	machine_create(&machine);
	load(&machine, touch);
	pte = machine_pte(&machine, GUEST_SPARE);
	*pte = NOWHERE | PTE_P | PTE_W | PTE_U;
	expect_fault(&machine, NOWHERE, 0);
	expect_fault(&machine, NOWHERE, 0);
	machine.run->regs.rip += 3;
	expect_exit(&machine, DUNE_EXIT_HLT);
	expect_fault(&machine, NOWHERE, DUNE_FAULT_WRITE);
	machine.run->regs.rip += 3;
	expect_exit(&machine, DUNE_EXIT_HLT);
	expect_fault(&machine, NOWHERE, DUNE_FAULT_EXEC);
}

CASE(exit_memory_fault_page_table)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	load(&machine, hlt);
	machine_get_state(&machine, &state);
	state.cr3 = NOWHERE;
	machine_set_state(&machine, &state);
	expect_exit(&machine, DUNE_EXIT_MEMORY_FAULT);
	check(machine.run->fault.gpa == NOWHERE, "at 0x%llx", machine.run->fault.gpa);
	/* Nothing is broken: with its table back the guest runs. */
	state.cr3 = GUEST_PML4;
	machine_set_state(&machine, &state);
	expect_exit(&machine, DUNE_EXIT_HLT);
}

CASE(exit_memory_fault_permission)
{
	struct machine machine;

	machine_create(&machine);
	load(&machine, touch);
	check(mprotect(machine.memory + GUEST_SPARE, GUEST_PAGE, PROT_READ) == 0, "mprotect");
	expect_exit(&machine, DUNE_EXIT_HLT);
	expect_fault(&machine, GUEST_SPARE, DUNE_FAULT_WRITE);
	check(mprotect(machine.memory + GUEST_SPARE, GUEST_PAGE, PROT_READ | PROT_WRITE) == 0,
	      "mprotect");
	expect_exit(&machine, DUNE_EXIT_HLT);
}

GUEST(undefined, "ud2");

CASE(exit_shutdown)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	load(&machine, undefined);
	machine_get_state(&machine, &state);
	state.idt_limit = 0;
	machine_set_state(&machine, &state);
	expect_exit(&machine, DUNE_EXIT_SHUTDOWN);
	check(ioctl(machine.vcpu, DUNE_RUN, 0) == -1 && errno == EIO, "it runs again");
}

/* What set_state can't judge. The CPU refuses it, or runs into an exception: both are fine. */
CASE(exit_fail_entry)
{
	struct machine machine;
	enum dune_exit reason;

	machine_create(&machine);
	load(&machine, hlt);
	machine.run->regs.rip = 0x8000000000000000;
	reason = machine_run(&machine);
	if (reason == DUNE_EXIT_IO) {
		const struct trap *trap = (void *)(machine.memory + machine.run->regs.rsp);

		check(trap->vector == GP || trap->vector == PF, "trap %lu", trap->vector);
	} else {
		check(reason == DUNE_EXIT_FAIL_ENTRY, "exit %s", exit_name(reason));
	}
	load(&machine, hlt);
	expect_exit(&machine, DUNE_EXIT_HLT);
}

/* Flags that a guest can't have, in all combinations that matter to an entry. */
CASE(exit_wild_rflags)
{
	struct machine machine;

	machine_create(&machine);
	for (int bit = 0; bit < 64; bit++) {
		if ((1ull << bit) == RFLAGS_TF)
			continue;	/* is a single step: see debug_registers.c */
		load(&machine, hlt);
		machine.run->regs.rflags = 1ull << bit;
		expect_exit(&machine, DUNE_EXIT_HLT);
	}
	load(&machine, hlt);
	machine.run->regs.rflags = ~RFLAGS_TF;
	expect_exit(&machine, DUNE_EXIT_HLT);
}
