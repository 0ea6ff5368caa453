// SPDX-License-Identifier: BSD-2-Clause
/*
 * Plain loads and stores of the code that is proved, as steps of their own. It is compiled with
 * -fsanitize=thread, for which the compiler puts a call before each of them; here are the functions
 * that it calls. So what a lock guards, or interrupts that are off, is really at risk without.
 *
 * A plain store is not buffered: whoever wants to know what its delay does stores by
 * machine_store().
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
