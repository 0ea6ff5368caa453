/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor of the guest: see hv/machine.h for what each of these is. */
#ifndef DBOS_INSTRUCTIONS_H
#define DBOS_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "hv/host_syscall.h"

static inline uint64_t machine_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void machine_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline bool machine_cas(uint64_t *word, uint64_t *expected, uint64_t value)
{
	return __atomic_compare_exchange_n(word, expected, value, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static inline uint64_t machine_add(uint64_t *word, uint64_t value)
{
	return __atomic_fetch_add(word, value, __ATOMIC_SEQ_CST);
}

static inline void machine_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The same code runs out of guest mode, at CPL 3, where CLI and POPF of IF are not its own. */
static inline bool machine_in_guest(void)
{
	uint16_t cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	return (cs & 3) == 0;
}

/* In the host, whoever is waited for may be waiting for this processor. */
static inline void machine_pause(void)
{
	if (machine_in_guest())
		__asm__ volatile("pause" : : : "memory");
	else
		host_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

#define MACHINE_RFLAGS_IF (1ull << 9)

static inline uint64_t machine_irqs_off(void)
{
	uint64_t flags;

	if (!machine_in_guest())
		return 0;
	/* Past the red zone, which PUSHF would write into. */
	__asm__ volatile("lea	-128(%%rsp), %%rsp\n"
			 "	pushf\n"
			 "	pop	%0\n"
			 "	lea	128(%%rsp), %%rsp\n"
			 "	cli"
			 : "=r"(flags)
			 :
			 : "memory");
	return flags & MACHINE_RFLAGS_IF;
}

static inline void machine_irqs_restore(uint64_t was)
{
	if (was)
		__asm__ volatile("sti" : : : "memory");
}

static inline uint64_t machine_now(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static inline void machine_invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Nothing is mapped global, so this is everything. */
static inline void machine_flush(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0\n"
			 "	mov %0, %%cr3"
			 : "=&r"(cr3)
			 :
			 : "memory");
}

static inline void machine_load_root(uint64_t gpa)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(gpa) : "memory");
}

/* These need to know the process's vCPUs, so the layer above has them. */
unsigned int machine_cpu(void);
uint64_t machine_thread(void);
void machine_send_ipi(unsigned int cpu);
void machine_flush_at_entry(unsigned int cpu, uint64_t *word, uint64_t value);

#endif /* DBOS_INSTRUCTIONS_H */
