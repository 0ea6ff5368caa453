// SPDX-License-Identifier: BSD-2-Clause
/* Signals for one of several threads, and handlers that go in or out. */
#include <pthread.h>
#include <unistd.h>
#include <dbos/dbos.h>

#include "inside.h"
#include "signals.h"

/* Threads: one spins, one waits, and one is cancelled in a call. */
static volatile bool stop;
static volatile int ready, told;

static void on_thread(int signo, siginfo_t *info, void *context)
{
	where();
	__atomic_fetch_add(&told, 1, __ATOMIC_SEQ_CST);
	(void)signo;
	(void)info;
	(void)context;
}

static void *spin(void *arg)
{
	if (inside)
		check_ok(dbos_enter());
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!stop)
		;
	if (inside)
		check_ok(dbos_leave());
	return arg;
}

static void *wait_for_ever(void *arg)
{
	if (inside)
		check_ok(dbos_enter());
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	for (;;)
		pause();
	return arg;
}

void threads(void)
{
	pthread_t spins, waits;
	void *result;

	stop = false;
	ready = told = 0;
	handle(SIGUSR1, on_thread, 0);
	check(pthread_create(&spins, NULL, spin, NULL) == 0, "thread");
	check(pthread_create(&waits, NULL, wait_for_ever, NULL) == 0, "thread");
	while (ready < 2)
		usleep(1000);
	for (int i = 1; i <= 20; i++) {
		pthread_kill(spins, SIGUSR1);
		while (told < 2 * i - 1)
			;
		pthread_kill(waits, SIGUSR1);
		while (told < 2 * i)
			;
	}
	stop = true;
	pthread_join(spins, NULL);
	pthread_cancel(waits);
	pthread_join(waits, &result);
	check(told == 40 && result == PTHREAD_CANCELED, "%d signals", told);
	saw("%d told, cancelled", told);
}

/* Handlers from before dbos_enter(), and one that is set inside and called outside. */
static void on_move(int signo, siginfo_t *info, void *context)
{
	on_signal(signo, info, context);
	if (inside)
		check_ok(dbos_leave());
	inside = false;
}

void moving(void)
{
	bool was = inside;

	if (was)
		check_ok(dbos_leave());
	inside = false;
	handle(SIGUSR1, on_move, 0);
	handle(SIGUSR2, on_signal, 0);
	raise(SIGUSR2);
	if (was)
		check_ok(dbos_enter());
	inside = was;
	raise(SIGUSR2);
	handle(SIGUSR2, on_signal, SA_NODEFER);
	/* It leaves, and its frame is the kernel's to return through. */
	raise(SIGUSR1);
	check(current_privilege_level() == 3, "inside");
	raise(SIGUSR2);
	if (was)
		check_ok(dbos_enter());
	inside = was;
	check(count == 4, "%d signals", count);
}
