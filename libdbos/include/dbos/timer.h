/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A timer interrupt for the calling vCPU.
 *
 * Neither hypervisor has a timer for its guests, so a thread of the process rings the vCPU's
 * doorbell. A tick costs that thread's wake-up and an exit. It comes late by what the host takes to
 * run the thread: a busy host, long. Ticks that nobody could take meanwhile (the vCPU was in the
 * host, or its interrupts off) arrive as one.
 */
#ifndef DBOS_TIMER_H
#define DBOS_TIMER_H

#include <dbos/dbos.h>

/* The vector for dbos_on_intr(). Without a handler a tick does nothing. */
#define DBOS_TIMER_VECTOR 254

/* Shorter ones leave no time for anything else. */
#define DBOS_TIMER_MIN_NS 50000ul

/*
 * From now on the calling vCPU is interrupted every @period nanoseconds; 0: no more, after at most
 * one tick. It ends with the stay inside. From anywhere inside but handlers. -EINVAL: outside, or a
 * period below DBOS_TIMER_MIN_NS; -EAGAIN: no thread could be made.
 */
int dbos_timer(struct dbos *dbos, uint64_t period);

#endif /* DBOS_TIMER_H */
