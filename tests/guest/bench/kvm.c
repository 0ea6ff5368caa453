// SPDX-License-Identifier: BSD-2-Clause
/*
 * A machine of KVM's, as a small monitor would make it: all features of the CPU, and no interrupt
 * controller in the kernel, as dune has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "bench.h"

#define EFER_SCE_LME_LMA 0x501
#define CR0_PE_NE_WP_PG	 0x80010021
#define CR4_PAE		 0x20
#define CPUID_ENTRIES	 256

static void set_cpuid(struct machine *machine)
{
	struct kvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	check(cpuid, "no memory");
	cpuid->nent = CPUID_ENTRIES;
	check(ioctl(machine->device, KVM_GET_SUPPORTED_CPUID, cpuid) == 0,
	      "KVM_GET_SUPPORTED_CPUID");
	check(ioctl(machine->vcpu, KVM_SET_CPUID2, cpuid) == 0, "KVM_SET_CPUID2");
	free(cpuid);
}

static void set_state(struct machine *machine)
{
	struct kvm_segment data = {
		.selector = SELECTOR_DATA, .limit = ~0u, .type = 3, .present = 1, .s = 1, .db = 1,
		.g = 1,
	};
	struct kvm_segment code = {
		.selector = SELECTOR_CODE, .limit = ~0u, .type = 11, .present = 1, .s = 1, .l = 1,
		.g = 1,
	};
	struct kvm_sregs sregs;

	check(ioctl(machine->vcpu, KVM_GET_SREGS, &sregs) == 0, "KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.gdt = (struct kvm_dtable){ .base = GUEST_GDT, .limit = GDT_LIMIT };
	sregs.idt = (struct kvm_dtable){ .base = GUEST_IDT, .limit = IDT_LIMIT };
	sregs.cr0 = CR0_PE_NE_WP_PG;
	sregs.cr3 = GUEST_PML4;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_SCE_LME_LMA;
	check(ioctl(machine->vcpu, KVM_SET_SREGS, &sregs) == 0, "KVM_SET_SREGS");
}

static void kvm_create(struct machine *machine)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = MEMORY_SIZE, .userspace_addr = (uint64_t)machine->memory
	};

	machine->device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	check(machine->device >= 0, "/dev/kvm: %s", strerror(errno));
	machine->vm = ioctl(machine->device, KVM_CREATE_VM, 0);
	check(machine->vm >= 0, "KVM_CREATE_VM: %s", strerror(errno));
	check(ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0,
	      "KVM_SET_USER_MEMORY_REGION");
	machine->vcpu = ioctl(machine->vm, KVM_CREATE_VCPU, 0);
	check(machine->vcpu >= 0, "KVM_CREATE_VCPU");
	machine->run_size = ioctl(machine->device, KVM_GET_VCPU_MMAP_SIZE, 0);
	machine->run = mmap(NULL, machine->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    machine->vcpu, 0);
	check(machine->run != MAP_FAILED, "mmap of the vCPU");
	set_cpuid(machine);
	set_state(machine);
}

static void kvm_destroy(struct machine *machine)
{
	munmap(machine->run, machine->run_size);
	close(machine->vcpu);
	close(machine->vm);
	close(machine->device);
}

static int kvm_run(struct machine *machine)
{
	const struct kvm_run *run = machine->run;

	if (ioctl(machine->vcpu, KVM_RUN, 0) != 0) {
		check(errno == EINTR && run->immediate_exit, "KVM_RUN: %s", strerror(errno));
		return ENDED_UNENTERED;
	}
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return run->io.port;
	case KVM_EXIT_HLT:
		return ENDED_HLT;
	}
	check(false, "kvm: exit %u, code %#llx", run->exit_reason, run->hw.hardware_exit_reason);
	return 0;
}

static uint32_t kvm_written(const struct machine *machine)
{
	const struct kvm_run *run = machine->run;

	return *(const uint32_t *)((const char *)run + run->io.data_offset);
}

static void kvm_refuse_entry(struct machine *machine, bool on)
{
	((struct kvm_run *)machine->run)->immediate_exit = on;
}

/* KVM steps over an OUT in the next KVM_RUN, whatever RIP is by then: so that one comes first. */
static void kvm_start_at(struct machine *machine, uint64_t rip)
{
	struct kvm_regs regs = { .rip = rip, .rsp = GUEST_STACK, .rflags = RFLAGS_FIXED };

	kvm_refuse_entry(machine, true);
	kvm_run(machine);
	kvm_refuse_entry(machine, false);
	check(ioctl(machine->vcpu, KVM_SET_REGS, &regs) == 0, "KVM_SET_REGS");
}

static void kvm_interrupt(struct machine *machine, unsigned int vector)
{
	struct kvm_interrupt interrupt = { .irq = vector };

	check(ioctl(machine->vcpu, KVM_INTERRUPT, &interrupt) == 0, "KVM_INTERRUPT");
}

const struct hypervisor kvm = {
	.name = "kvm",
	.create = kvm_create,
	.destroy = kvm_destroy,
	.start_at = kvm_start_at,
	.run = kvm_run,
	.written = kvm_written,
	.refuse_entry = kvm_refuse_entry,
	.interrupt = kvm_interrupt,
};
