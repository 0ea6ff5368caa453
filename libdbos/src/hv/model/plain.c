// SPDX-License-Identifier: BSD-2-Clause
/*
 * Plain loads and stores of the code that is proved, as steps of their own. It is compiled with
 * -fsanitize=thread, for which the compiler puts a call before each of them; here are the functions
 * that it calls. So what a lock guards, or interrupts that are off, is really at risk without.
 *
 * A plain store is not buffered: whoever wants to know what its delay does stores by
 * machine_store().
 *
 * Atomic accesses by the compiler's builtins, which are in headers for programs, are the machine's.
 */
#include "hv/machine.h"
#include "hv/model/internal.h"

/* A load sees the vCPU's own stores, a store comes after them. */
static void access_plainly(const void *address)
{
	struct model_cpu *cpu = model.current;
	uint64_t first = (uint64_t)address & ~7ull;

	if (!cpu)
		return;
	/* They are the most of all steps, and the least of them matter. */
	if (chance(4))
		model_step();
	for (unsigned int i = cpu->stores; i-- > 0;) {
		if ((uint64_t)cpu->store[i].word == first) {
			drain_stores(cpu, i + 1);
			break;
		}
	}
}

void __tsan_init(void);
void __tsan_read_range(void *address, unsigned long size);
void __tsan_write_range(void *address, unsigned long size);

void __tsan_init(void)
{
}

#define HOOK(name)                            \
	void __tsan_##name(void *address);    \
	void __tsan_##name(void *address)     \
	{                                     \
		access_plainly(address);      \
	}

HOOK(read1)
HOOK(read2)
HOOK(read4)
HOOK(read8)
HOOK(read16)
HOOK(write1)
HOOK(write2)
HOOK(write4)
HOOK(write8)
HOOK(write16)

void __tsan_read_range(void *address, unsigned long size)
{
	(void)size;
	access_plainly(address);
}

void __tsan_write_range(void *address, unsigned long size)
{
	(void)size;
	access_plainly(address);
}

uint64_t __tsan_atomic64_load(const uint64_t *word, int order);
int __tsan_atomic64_compare_exchange_strong(uint64_t *word, uint64_t *expected, uint64_t value,
					    int order, int failed);
void __tsan_atomic_thread_fence(int order);

uint64_t __tsan_atomic64_load(const uint64_t *word, int order)
{
	(void)order;
	return machine_load(word);
}

int __tsan_atomic64_compare_exchange_strong(uint64_t *word, uint64_t *expected, uint64_t value,
					    int order, int failed)
{
	(void)order;
	(void)failed;
	return machine_cas(word, expected, value);
}

/* Of acquire and release: the processor does nothing for them (SDM 3A 8.2.2). */
void __tsan_atomic_thread_fence(int order)
{
	(void)order;
}
