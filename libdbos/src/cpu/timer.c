// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <sys/prctl.h>

#include <dbos/timer.h>

#include "cpu/timer.h"
#include "dbos_internal.h"

#define SECOND 1000000000ull

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

void timers_init(struct timers *timers)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&timers->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&timers->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* The handler learns of the tick by the doorbell, so the note is there first. */
static void tick(struct dbos *dbos, unsigned int number)
{
	__atomic_store_n(&dbos->doorbells[number].tick, 1, __ATOMIC_RELEASE);
	doorbell_ring(dbos, number);
}

bool timer_ticked(struct vcpu *vcpu)
{
	return __atomic_exchange_n(&vcpu->dbos->doorbells[vcpu->number].tick, 0, __ATOMIC_ACQUIRE);
}

/*
 * Rings for all whose time has come, and returns when the next is due, or 0. Under the lock: a
 * doorbell does not wait for anybody. Ticks that are missed altogether are left out.
 */
static uint64_t ring_due(struct dbos *dbos)
{
	struct timers *timers = &dbos->timers;
	uint64_t limit = machine_load(&dbos->cpus.limit), time = now(), first = 0;

	for (unsigned int i = 0; i < limit; i++) {
		uint64_t period = timers->of[i].period;
		uint64_t *next = &timers->of[i].next;

		if (!period)
			continue;
		if (*next <= time) {
			tick(dbos, i);
			*next += (time - *next) / period * period + period;
		}
		if (!first || *next < first)
			first = *next;
	}
	return first;
}

static void *run_timers(void *arg)
{
	struct dbos *dbos = arg;
	struct timers *timers = &dbos->timers;
	struct timespec until;

	/* By default Linux may wake a thread 50 us late, to save power. */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	pthread_mutex_lock(&timers->lock);
	for (;;) {
		uint64_t next = ring_due(dbos);

		if (!next) {
			pthread_cond_wait(&timers->changed, &timers->lock);
			continue;
		}
		until = (struct timespec){ .tv_sec = next / SECOND, .tv_nsec = next % SECOND };
		pthread_cond_timedwait(&timers->changed, &timers->lock, &until);
	}
	return NULL;
}

/* The program's signals are not for this thread. */
static int start(struct dbos *dbos)
{
	sigset_t all, old;
	pthread_t thread;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&thread, NULL, run_timers, dbos);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return -EAGAIN;
	pthread_detach(thread);
	dbos->timers.running = true;
	return 0;
}

int timers_set(struct dbos *dbos, unsigned int number, uint64_t period)
{
	struct timers *timers = &dbos->timers;
	int ret = 0;

	pthread_mutex_lock(&timers->lock);
	if (period && !timers->running)
		ret = start(dbos);
	if (!ret && timers->of[number].period != period) {
		timers->of[number].period = period;
		timers->of[number].next = now() + period;
		pthread_cond_signal(&timers->changed);
	}
	pthread_mutex_unlock(&timers->lock);
	return ret;
}

int dbos_timer(struct dbos *dbos, uint64_t period)
{
	unsigned int number = machine_cpu();

	if (!dbos || number == MACHINE_NO_CPU || (period && period < DBOS_TIMER_MIN_NS))
		return -EINVAL;
	return timers_set(dbos, number, period);
}
