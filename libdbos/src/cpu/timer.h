/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timer interrupts: one thread for all vCPUs, outside, that sleeps until the next tick of any of
 * them and rings its doorbell. A signal to the vCPU's own thread would do without it, but would cut
 * the program's system calls short.
 */
#ifndef DBOS_TIMER_INTERNAL_H
#define DBOS_TIMER_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpus.h"

struct dbos;
struct vcpu;

struct timers {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running;			/* the thread */
	struct {
		uint64_t period, next;	/* nanoseconds; period 0: none */
	} of[CPUS_MAX];			/* by the vCPU's number */
};

void timers_init(struct timers *timers);

/* -EAGAIN: no thread. From anywhere a lock may be waited for. */
int timers_set(struct dbos *dbos, unsigned int number, uint64_t period);

/* There has been a tick for this vCPU since it was last asked. */
bool timer_ticked(struct vcpu *vcpu);

#endif /* DBOS_TIMER_INTERNAL_H */
