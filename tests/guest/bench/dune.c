// SPDX-License-Identifier: BSD-2-Clause
/* A machine of dune.ko's. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <uapi/dune.h>

#include "bench.h"

static void dune_create(struct machine *machine)
{
	struct dune_slot slot = { .size = MEMORY_SIZE, .hva = (uint64_t)machine->memory };
	struct dune_state state;

	machine->device = open("/dev/dune", O_RDWR | O_CLOEXEC);
	check(machine->device >= 0, "/dev/dune: %s", strerror(errno));
	check(ioctl(machine->device, DUNE_SET_SLOT, &slot) == 0, "DUNE_SET_SLOT");
	machine->vcpu = ioctl(machine->device, DUNE_CREATE_VCPU, 0);
	check(machine->vcpu >= 0, "DUNE_CREATE_VCPU: %s", strerror(errno));
	machine->run_size = GUEST_PAGE;
	machine->run = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, machine->vcpu, 0);
	check(machine->run != MAP_FAILED, "mmap of the run page");

	check(ioctl(machine->vcpu, DUNE_GET_STATE, &state) == 0, "DUNE_GET_STATE");
	state.cr3 = GUEST_PML4;
	state.gdt_base = GUEST_GDT;
	state.gdt_limit = GDT_LIMIT;
	state.idt_base = GUEST_IDT;
	state.idt_limit = IDT_LIMIT;
	state.cs = SELECTOR_CODE;
	state.ss = SELECTOR_DATA;
	check(ioctl(machine->vcpu, DUNE_SET_STATE, &state) == 0, "DUNE_SET_STATE");
}

static void dune_destroy(struct machine *machine)
{
	munmap(machine->run, machine->run_size);
	close(machine->vcpu);
	close(machine->device);
}

static void dune_start_at(struct machine *machine, uint64_t rip)
{
	struct dune_run *run = machine->run;

	run->regs = (struct dune_regs){ .rip = rip, .rsp = GUEST_STACK, .rflags = RFLAGS_FIXED };
}

static int dune_run(struct machine *machine)
{
	const struct dune_run *run = machine->run;

	do {
		check(ioctl(machine->vcpu, DUNE_RUN, 0) == 0, "DUNE_RUN: %s", strerror(errno));
	} while (run->exit_reason == DUNE_EXIT_INTERRUPTED && !run->immediate_exit);
	switch (run->exit_reason) {
	case DUNE_EXIT_IO:
		return run->io.port;
	case DUNE_EXIT_HLT:
		return ENDED_HLT;
	case DUNE_EXIT_INTERRUPTED:
		return ENDED_UNENTERED;
	}
	check(false, "dune: exit %u, code %#llx, at %#llx", run->exit_reason, run->hw.code,
	      run->regs.rip);
	return 0;
}

static uint32_t dune_written(const struct machine *machine)
{
	return ((const struct dune_run *)machine->run)->regs.rax;
}

static void dune_refuse_entry(struct machine *machine, bool on)
{
	((struct dune_run *)machine->run)->immediate_exit = on;
}

static void dune_interrupt(struct machine *machine, unsigned int vector)
{
	check(ioctl(machine->vcpu, DUNE_INTERRUPT, vector) == 0, "DUNE_INTERRUPT");
}

const struct hypervisor dune = {
	.name = "dune",
	.create = dune_create,
	.destroy = dune_destroy,
	.start_at = dune_start_at,
	.run = dune_run,
	.written = dune_written,
	.refuse_entry = dune_refuse_entry,
	.interrupt = dune_interrupt,
};
