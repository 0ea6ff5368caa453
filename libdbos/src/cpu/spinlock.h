/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock for a few instructions, held with interrupts off, so that an interrupt handler may take
 * it too. The holder waits for no other vCPU.
 */
#ifndef DBOS_SPINLOCK_H
#define DBOS_SPINLOCK_H

#include "hv/machine.h"

struct spinlock {
	uint64_t held;
};

/* Returns what to give to spin_unlock(). */
static inline uint64_t spin_lock(struct spinlock *lock)
{
	uint64_t irqs = machine_irqs_off();
	uint64_t unheld = 0;

	while (!machine_cas(&lock->held, &unheld, 1)) {
		machine_pause();
		unheld = 0;
	}
	return irqs;
}

static inline void spin_unlock(struct spinlock *lock, uint64_t irqs)
{
	machine_store(&lock->held, 0);
	machine_irqs_restore(irqs);
}

#endif /* DBOS_SPINLOCK_H */
