// SPDX-License-Identifier: BSD-2-Clause
/*
 * kvm_busy: a virtual machine of KVM's that works until SIGTERM, and notices what others do to it.
 *
 * Its guest makes system calls to itself: SYSCALL jumps to where the guest's own LSTAR says, which
 * KVM leaves in the processor while other threads have it. The handler counts, spins for a while
 * and tells. A count that jumps, or a guest that ends anywhere else, means that somebody has taken
 * KVM's state out of a processor and not put it back.
 *
 * In the end it tells how often it was switched out with work to do.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "check.h"

#define MEMORY_SIZE (2ul << 20)
#define PML4	    0x1000
#define PDPT	    0x2000
#define PD	    0x3000
#define CODE	    0x4000
#define HANDLER	    0x5000
#define STACK_TOP   0x8000

#define PORT 0x10

#define MSR_STAR  0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084

#define EFER_SCE_LME_LMA 0x501
#define CR0_PE_NE_PG	 0x80000021
#define CR4_PAE		 0x20

static volatile sig_atomic_t stopped;

static void on_sigterm(int signo)
{
	(void)signo;
	stopped = 1;
}

static const uint8_t code[] = {
	0x0f, 0x05,	/* again: syscall */
	0xeb, 0xfc,	/* jmp again */
};

static const uint8_t handler[] = {
	0x48, 0xff, 0xc3,		/* inc %rbx */
	0xba, 0x20, 0x4e, 0x00, 0x00,	/* mov $20000, %edx */
	0xff, 0xca,			/* spin: dec %edx */
	0x75, 0xfc,			/* jnz spin */
	0xe6, PORT,			/* out %al, $PORT */
	0xff, 0xe1,			/* jmp *%rcx: back behind the SYSCALL */
};

static uint8_t *fill_memory(void)
{
	uint8_t *memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(memory != MAP_FAILED, "no memory");
	*(uint64_t *)(memory + PML4) = PDPT | 3;
	*(uint64_t *)(memory + PDPT) = PD | 3;
	*(uint64_t *)(memory + PD) = 0x83; /* 2 MiB at 0 */
	memcpy(memory + CODE, code, sizeof(code));
	memcpy(memory + HANDLER, handler, sizeof(handler));
	return memory;
}

static void set_registers(int vcpu)
{
	struct kvm_segment data = {
		.selector = 16, .limit = ~0u, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1
	};
	struct kvm_segment text = {
		.selector = 8, .limit = ~0u, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	struct kvm_regs regs = { .rip = CODE, .rsp = STACK_TOP, .rflags = 2 };
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[3];
	} msrs = {
		.head.nmsrs = 3,
		.entries = { { MSR_STAR, 0, 8ull << 32 },
			     { MSR_LSTAR, 0, HANDLER },
			     { MSR_FMASK, 0, 0 } },
	};
	struct kvm_sregs sregs;

	check(ioctl(vcpu, KVM_GET_SREGS, &sregs) == 0, "KVM_GET_SREGS");
	sregs.cs = text;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr0 = CR0_PE_NE_PG;
	sregs.cr3 = PML4;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_SCE_LME_LMA;
	check(ioctl(vcpu, KVM_SET_SREGS, &sregs) == 0, "KVM_SET_SREGS");
	check(ioctl(vcpu, KVM_SET_MSRS, &msrs) == 3, "KVM_SET_MSRS");
	check(ioctl(vcpu, KVM_SET_REGS, &regs) == 0, "KVM_SET_REGS");
}

static void run_until_stopped(int vcpu, struct kvm_run *run)
{
	struct kvm_regs regs;
	struct rusage used;
	uint64_t count = 0;

	while (!stopped) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0)
			continue; /* the signal */
		check(run->exit_reason == KVM_EXIT_IO && run->io.port == PORT,
		      "exit %u after %lu system calls", run->exit_reason, count);
		check(ioctl(vcpu, KVM_GET_REGS, &regs) == 0, "KVM_GET_REGS");
		count++;
		check(regs.rbx == count, "the guest has counted %llu of %lu system calls", regs.rbx,
		      count);
		if (count == 1) {
			printf("kvm_busy: runs\n");
			fflush(stdout);
		}
	}
	check(getrusage(RUSAGE_SELF, &used) == 0, "getrusage");
	printf("kvm_busy: ok, %lu system calls, switched out %ld times\n", count, used.ru_nivcsw);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_sigterm };
	int kvm, vm, vcpu;
	struct kvm_run *run;
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };

	sigaction(SIGTERM, &action, NULL);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	check(kvm >= 0, "no /dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(vm >= 0, "KVM_CREATE_VM");
	region.userspace_addr = (uint64_t)fill_memory();
	check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0, "KVM_SET_USER_MEMORY_REGION");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	check(vcpu >= 0, "KVM_CREATE_VCPU");
	run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED,
		   vcpu, 0);
	check(run != MAP_FAILED, "mmap of the vCPU");
	set_registers(vcpu);
	run_until_stopped(vcpu, run);
	return 0;
}
