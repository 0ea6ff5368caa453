// SPDX-License-Identifier: BSD-2-Clause
/* How long everything takes, by a thread that is never inside. */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/* Of wall time on an emulator, with others on the host. Hardware needs a millisecond. */
#define BOUND_MS 20000ul

#define OPERATIONS 16

static struct {
	const char *name;		/* of what it is at; NULL: nothing */
	uint64_t began;
	uint64_t done[OPERATIONS], vain[OPERATIONS], longest[OPERATIONS];
} at[THREADS];

static pthread_t dog;
static bool end;

static uint64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000ul + time.tv_nsec / 1000000;
}

static void *watch(void *arg)
{
	while (!load(end)) {
		for (unsigned int i = 0; i < THREADS; i++) {
			uint64_t began = load(at[i].began);
			const char *name = load(at[i].name);

			check(!name || load(at[i].began) != began || now_ms() < began + BOUND_MS,
			      "thread %u is at %s for more than %lu ms", i, name, BOUND_MS);
		}
		usleep(100000);
	}
	return arg;
}

void watchdog_begin(void)
{
	check(pthread_create(&dog, NULL, watch, NULL) == 0, "pthread_create");
}

void watchdog_end(void)
{
	store(end, true);
	check(pthread_join(dog, NULL) == 0, "pthread_join");
}

bool watched_run(struct worker *worker, unsigned int operation)
{
	unsigned int i = worker->number;
	uint64_t took;
	bool done;

	store(at[i].began, now_ms());
	store(at[i].name, operations[operation].name);
	done = operations[operation].run(worker);
	took = now_ms() - at[i].began;
	store(at[i].name, NULL);
	if (done)
		at[i].done[operation]++;
	else
		at[i].vain[operation]++;
	if (took > at[i].longest[operation])
		at[i].longest[operation] = took;
	return done;
}

void print_counts(void)
{
	for (unsigned int k = 0; k < operation_count; k++) {
		uint64_t done = 0, vain = 0, longest = 0;

		for (unsigned int i = 0; i < THREADS; i++) {
			done += at[i].done[k];
			vain += at[i].vain[k];
			if (at[i].longest[k] > longest)
				longest = at[i].longest[k];
		}
		printf("%s: %lu, %lu not possible, %lu ms at most\n", operations[k].name, done,
		       vain, longest);
	}
}
