/* SPDX-License-Identifier: BSD-2-Clause */
/* A second vCPU beside the main one, for programs that want to see what they do to each other. */
#ifndef PARTNER_H
#define PARTNER_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#include <dbos/smp.h>

#include "check.h"

#define load(word)	   __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define store(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELEASE)

/* It does @act again and again until it is told to end. */
static struct partner {
	pthread_t thread;
	void (*act)(void);
	int number, end;
	uint64_t acts;
	bool end_inside;
} partner;

static void *run_partner(void *arg)
{
	check_ok(dbos_enter());
	store(partner.number, dbos_self());
	while (!load(partner.end)) {
		partner.act();
		store(partner.acts, partner.acts + 1);
	}
	if (!partner.end_inside)
		check_ok(dbos_leave());
	return arg;
}

static void begin_partner(void (*act)(void))
{
	partner = (struct partner){ .act = act, .number = -1 };
	check(pthread_create(&partner.thread, NULL, run_partner, NULL) == 0, "pthread_create");
	while (load(partner.number) < 0 || load(partner.acts) == 0)
		sched_yield();
	check(partner.number != dbos_self(), "two vCPUs have number %d", partner.number);
}

static void end_partner(void)
{
	store(partner.end, 1);
	check(pthread_join(partner.thread, NULL) == 0, "pthread_join");
}

#endif /* PARTNER_H */
