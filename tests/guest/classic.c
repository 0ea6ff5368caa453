// SPDX-License-Identifier: BSD-2-Clause
/* A program in the style of Dune's own examples: only <dune.h> and its names. */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dune.h>

#include "check.h"

#define FAKE_UID 4242

static volatile int divides, faults, syscalls;
/* Volatile as well: GCC 16 stores to it only after it has looked at faults. */
static volatile char *page;

static void divide_handler(struct dune_tf *tf)
{
	divides++;
	tf->rip += 2;		/* div %ecx */
}

static void pgflt_handler(uintptr_t addr, uint64_t fec, struct dune_tf *tf)
{
	(void)fec;
	(void)tf;
	check(addr - (uintptr_t)page < 4096, "a fault at %#lx is not ours", addr);
	faults++;
	check(mprotect((void *)page, 4096, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

static void syscall_handler(struct dune_tf *tf)
{
	syscalls++;
	if (tf->rax == SYS_getuid)
		tf->rax = FAKE_UID;
	else
		dune_passthrough_g0_syscall(tf);
}

int main(void)
{
	int calls;

	check_ok(dune_init_and_enter());
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED, "mmap failed");

	check_ok(dune_register_intr_handler(0, divide_handler));
	__asm__ volatile("div %%ecx" : : "a"(1), "c"(0), "d"(0) : "cc", "memory");
	check(divides == 1, "%d divide errors", divides);

	dune_register_pgflt_handler(pgflt_handler);
	page[1] = 'y';
	check(faults == 1 && page[1] == 'y', "%d page faults", faults);

	dune_register_g0_syscall_handler(syscall_handler);
	check(getuid() == FAKE_UID, "getuid() was not answered by our handler");
	check(getpid() == (pid_t)syscall(SYS_gettid), "getpid() was not passed through");
	calls = syscalls;
	check(calls == 3, "the handler saw %d system calls of 3", calls);
	printf("classic: ok, %d divide error, %d page fault, %d system calls handled\n", divides,
	       faults, calls);
	return 0;
}
