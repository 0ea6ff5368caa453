/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions for ring 3: the section they are in is given PERM_U, and they call nothing outside of
 * it. And memory that ring 3 may have.
 */
#ifndef COMPAT_RING3_H
#define COMPAT_RING3_H

#include <sys/mman.h>

#include <dune.h>

#include "check.h"

#define RING3 __attribute__((section("ring3"), noinline, used))

extern char __start_ring3[], __stop_ring3[];

#define RING3_STACK (4 * PGSIZE)

static inline __attribute__((always_inline)) long ring3_call(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline void *memory(size_t size)
{
	void *got = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(got != MAP_FAILED, "mmap");
	return got;
}

static inline void give_code(void)
{
	check_ok(dune_vm_mprotect(pgroot, __start_ring3, __stop_ring3 - __start_ring3,
				  PERM_UCODE | PERM_W));
}

static inline void *give_memory(size_t size)
{
	void *got = memory(size);

	check_ok(dune_vm_mprotect(pgroot, got, size, PERM_UTEXT));
	return got;
}

/* Where @function is to run, as at the beginning of a function. */
static inline struct dune_tf ring3_frame(void *function, void *argument)
{
	char *stack = give_memory(RING3_STACK);

	return (struct dune_tf){
		.rip = (uint64_t)function, .rsp = (uint64_t)stack + RING3_STACK - 8,
		.rdi = (uint64_t)argument, .rflags = 2,
	};
}

#endif /* COMPAT_RING3_H */
