// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tries the properties in turn on schedules of the model, from a seed on:
 *
 *	model [-p PROPERTY] [-n SCHEDULES] [-s SEED]
 *
 * SCHEDULES of each property; T, S and B are all whose names begin so. The first one that fails
 * ends it, with status 1, and with the arguments that show it again. Times are those of this
 * process on its CPU. A bug may end the model itself, by a pointer that leads nowhere or a list
 * that has no end: failures like any other.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "property.h"

#define COUNT 14

static const struct property *const properties[COUNT] = {
	&remap_property, &host_property, &calls_property, &reuse_property,
	&index_property, &snapshot_property, &oldest_property,
	&settle_property, &filled_property, &left_property,
	&raced_property, &pool_property, &failing_property, &resized_property,
};

/* What is being tried: for the signal handler too. */
static struct {
	const char *name;
	unsigned long long seed, tried;
} now;

struct tally {
	bool chosen;
	unsigned long long schedules, steps;
	double seconds;
};

static double cpu_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void report_failure(const char *why)
{
	printf("%s: FAILED in schedule %llu after %.2f s: %s\n"
	       "again: -p %s -n 1 -s %llu\n", now.name, now.tried, cpu_seconds(), why, now.name,
	       now.seed);
}

/* Nothing of ours is held that printf() could want: the model prints nothing while it runs. */
static void on_signal(int signo)
{
	report_failure(signo == SIGVTALRM ? "no end, and no step" : "an access to no memory");
	fflush(stdout);
	_exit(1);
}

/* NULL, or why it failed. */
static const char *try_once(const struct property *property, uint64_t seed, struct tally *tally)
{
	static const struct itimerval patience = { .it_value.tv_sec = 5 };
	double began = cpu_seconds();
	const char *failure;

	setitimer(ITIMER_VIRTUAL, &patience, NULL);
	property->begin(seed);
	failure = model_run();
	if (!failure && property->end) {
		property->end();
		failure = model_run();
	}
	tally->schedules++;
	tally->steps += model_now();
	tally->seconds += cpu_seconds() - began;
	return failure;
}

static bool try_all(struct tally tally[COUNT], unsigned long long schedules,
		    unsigned long long seed)
{
	for (unsigned long long i = 0; i < schedules; i++) {
		for (int j = 0; j < COUNT; j++) {
			const char *failure;

			if (!tally[j].chosen)
				continue;
			now.name = properties[j]->name;
			now.seed = seed + i;
			now.tried++;
			failure = try_once(properties[j], seed + i, &tally[j]);
			if (!failure)
				continue;
			report_failure(failure);
			return false;
		}
	}
	return true;
}

static bool choose(struct tally tally[COUNT], const char *name)
{
	bool known = false;

	for (int i = 0; i < COUNT; i++) {
		tally[i].chosen = !name || strcmp(name, properties[i]->name) == 0 ||
				  (name[0] == properties[i]->name[0] && !name[1]);
		known |= tally[i].chosen;
	}
	return known;
}

static void report(const struct tally tally[COUNT], unsigned long long seed)
{
	for (int i = 0; i < COUNT; i++) {
		if (tally[i].chosen)
			printf("%s: %s: %llu schedules from seed %llu on, %llu steps, %.2f s\n",
			       properties[i]->name, properties[i]->what, tally[i].schedules,
			       seed, tally[i].steps, tally[i].seconds);
	}
}

int main(int argc, char **argv)
{
	unsigned long long schedules = 25000, seed = 1;
	struct tally tally[COUNT] = { 0 };
	const char *only = NULL;
	int option;

	while ((option = getopt(argc, argv, "p:n:s:")) != -1) {
		if (option == 'p')
			only = optarg;
		else if (option == 'n')
			schedules = strtoull(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (!choose(tally, only)) {
		fprintf(stderr, "model: no property %s\n", only);
		return 2;
	}
	if (!model_create(MEMORY)) {
		fprintf(stderr, "model: no memory\n");
		return 2;
	}
	signal(SIGSEGV, on_signal);
	signal(SIGVTALRM, on_signal);
	if (!try_all(tally, schedules, seed))
		return 1;
	report(tally, seed);
	return 0;
}
