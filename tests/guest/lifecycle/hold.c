// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guests that run while something happens to the host. One is bound to CPU, until that is taken
 * away; the others are wherever the scheduler puts them. Each adds up numbers, again and again, and
 * a wrong sum is the end. Prints "holding" when all of them run, and "on" after each SIGUSR1, when
 * all have gone on since. SIGTERM ends it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "lifecycle.h"

#define GUESTS 3
#define LIMIT  300000ul

static atomic_ulong sums[GUESTS];
static atomic_bool stop;

static void bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check(sched_setaffinity(0, sizeof(set), &set) == 0, "CPU %d: %s", cpu, strerror(errno));
}

struct guest {
	pthread_t thread;
	unsigned int number;
	int cpu;		/* -1: any */
};

static void *sum_for_ever(void *arg)
{
	struct guest *guest = arg;
	struct machine machine;

	if (guest->cpu >= 0)
		bind_to(guest->cpu);
	machine_create(&machine);
	while (!stop) {
		expect_sum(&machine, LIMIT + guest->number);
		sums[guest->number]++;
	}
	machine_destroy(&machine, true);
	return NULL;
}

/* Until each has begun and ended another one. */
static void expect_more(void)
{
	for (unsigned int i = 0; i < GUESTS; i++) {
		unsigned long before = sums[i];
		uint64_t end = now_ns() + 60000 * MS;

		while (sums[i] < before + 2) {
			check(now_ns() < end, "guest %u has stopped after %lu sums", i, before);
			usleep(1000);
		}
	}
}

void run_hold(char **arguments)
{
	struct guest guests[GUESTS];
	sigset_t set;
	int signo;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (unsigned int i = 0; i < GUESTS; i++) {
		guests[i] = (struct guest){ .number = i, .cpu = i == 0 ? atoi(arguments[0]) : -1 };
		check(pthread_create(&guests[i].thread, NULL, sum_for_ever, &guests[i]) == 0,
		      "pthread_create");
	}
	expect_more();
	printf("holding\n");
	while (sigwait(&set, &signo) == 0 && signo == SIGUSR1) {
		expect_more();
		printf("on\n");
	}
	stop = true;
	for (unsigned int i = 0; i < GUESTS; i++)
		pthread_join(guests[i].thread, NULL);
	printf("hold: ok, %lu %lu %lu sums\n", sums[0], sums[1], sums[2]);
}
