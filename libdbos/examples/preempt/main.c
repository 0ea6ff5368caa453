// SPDX-License-Identifier: BSD-2-Clause
/*
 * preempt [ROUNDS]: threads that compute, and never yield, share one vCPU. Each has general and
 * vector registers full of numbers whose sum is known, as the same function has run without a
 * timer before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <dbos/timer.h>

#include "threads.h"

#define THREADS 4
#define PERIOD	2000000ul

#define fail(...)                             \
	do {                                  \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr);          \
		exit(1);                      \
	} while (0)

struct worker {
	struct thread *thread;
	uint64_t seed, expected, rounds;
	volatile uint64_t done;
	const char *wrong;
};

static struct worker workers[THREADS];
static uint64_t rounds = 150;
static uint64_t least_when_first_ended;

/* Two words that always agree where preemption is off. */
static volatile uint64_t one, other;

/* All that is live in here is in registers: seven words, and six doubles in XMM registers. */
static __attribute__((noinline)) uint64_t compute(uint64_t seed)
{
	uint64_t a = seed, b = ~seed, c = seed * 3, d = seed * 5, e = seed * 7, f = seed * 11;
	double u = seed, v = 1.0, w = 2.0, x = 3.0, y = 4.0, z = 5.0;
	uint64_t sum, bits[6];

	for (int i = 0; i < 20000; i++) {
		a = a * 6364136223846793005u + b;
		b ^= a >> 29;
		c += b << 3;
		d = (d << 7 | d >> 57) + c;
		e ^= d * 31;
		f += e ^ a;
		u = u * 0.5 + v;
		v = v * 0.25 + w;
		w = w * 0.5 + x * 0.125;
		x = x * 0.5 + y;
		y = y * 0.25 + z * 0.5;
		z = z * 0.5 + u * 0.0625;
	}
	memcpy(bits, (double[]){ u, v, w, x, y, z }, sizeof(bits));
	sum = a ^ b ^ c ^ d ^ e ^ f;
	for (int i = 0; i < 6; i++)
		sum = sum * 31 + bits[i];
	return sum;
}

static void in_critical_section(struct worker *worker)
{
	uint64_t flags = preemption_off();

	if (one != other)
		worker->wrong = "a critical section was preempted";
	one++;
	compute(worker->seed);
	other++;
	preemption_restore(flags);
}

static void note_first_end(void)
{
	uint64_t flags = preemption_off();

	if (!least_when_first_ended) {
		least_when_first_ended = rounds;
		for (int i = 0; i < THREADS; i++) {
			if (workers[i].done < least_when_first_ended)
				least_when_first_ended = workers[i].done;
		}
	}
	preemption_restore(flags);
}

static void work(void *arg)
{
	struct worker *worker = arg;

	for (uint64_t i = 0; i < rounds && !worker->wrong; i++) {
		if (compute(worker->seed) != worker->expected)
			worker->wrong = "the sum is wrong";
		if (thread_self() != worker->thread)
			worker->wrong = "GS is another's";
		if (i % 8 == 0)
			in_critical_section(worker);
		worker->done++;
	}
	note_first_end();
}

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void run_all(struct dbos *dbos)
{
	uint64_t flags;

	if (threads_start(dbos, PERIOD) < 0)
		fail("threads_start");
	flags = preemption_off();
	for (int i = 0; i < THREADS; i++) {
		workers[i].thread = thread_create(work, &workers[i]);
		if (!workers[i].thread)
			fail("thread_create");
	}
	preemption_restore(flags);
	for (int i = 0; i < THREADS; i++)
		thread_join(workers[i].thread);
	threads_stop(dbos);
}

int main(int argc, char **argv)
{
	struct threads_stats stats;
	double began;

	if (argc > 1)
		rounds = strtoull(argv[1], NULL, 0);
	if (dbos_init() < 0 || dbos_enter() < 0)
		fail("no way in");
	for (int i = 0; i < THREADS; i++) {
		workers[i].seed = 0x9e3779b97f4a7c15u * (i + 1);
		workers[i].expected = compute(workers[i].seed);
	}
	began = seconds();
	run_all(dbos_instance());
	began = seconds() - began;
	stats = threads_stats();
	for (int i = 0; i < THREADS; i++) {
		if (workers[i].wrong)
			fail("thread %d: %s", i, workers[i].wrong);
		if (workers[i].done != rounds)
			fail("thread %d: %lu rounds of %lu", i, workers[i].done, rounds);
	}
	if (dbos_leave() < 0)
		fail("no way out");
	printf("preempt: ok, %d threads, %lu preemptions, least %lu of %lu, %.2f ms a tick\n",
	       THREADS, stats.preemptions, least_when_first_ended, rounds,
	       began * 1e3 / (stats.ticks + 1));
	return 0;
}
