/* SPDX-License-Identifier: BSD-2-Clause */
/* A run: threads that work through phases, each phase the same function again and again. */
#ifndef TABBY_DRIVER_RUN_H
#define TABBY_DRIVER_RUN_H

#include <pthread.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "driver/options.h"
#include "driver/random.h"

/* What a vCPU has done: for the hypervisor, and to its own TLB and others'. */
struct vcpu_counts {
	struct dbos_vcpu_stats own;
	struct dbos_flush_stats flush;
};

/* What a thread has counted, in a cache line of its own. */
struct worker {
	struct run *run;
	unsigned int index;
	uint64_t random;
	uint64_t serial;		/* a number of its own for what has none; over all phases */
	struct session *session;
	void *state;			/* the workload's */
	pthread_t thread;
	int error;			/* the first one */
	struct vcpu_counts vcpu;	/* over the phase; inside only */
	alignas(64) uint64_t operations, missing, errors, detail[8];
};

struct run {
	const struct options *options;
	struct store *store;
	struct worker *worker;
	void *state;			/* the workload's, for all threads */
	struct store_stats first;	/* when the phase began */
	uint64_t versions;		/* that check() has found records to have been updated */
	/* Of the phase that is under way. */
	const char *phase;
	int (*step)(struct worker *worker);
	uint64_t limit;			/* operations in all; 0: until @stop */
	bool load;
	int stop;
	unsigned int left;		/* workers that have not ended */
	pthread_barrier_t start;
};

/*
 * A workload. load() puts the worker's share of the records there; step() is one operation: 0, or
 * -errno for an error, which is counted; what is not found and should be is counted as missing by
 * itself. check() looks at all of it afterwards, in one thread, and says on stderr what is wrong.
 */
struct workload {
	const char *name, *about;
	int (*prepare)(struct run *run);
	int (*load)(struct worker *worker);
	int (*step)(struct worker *worker);
	int (*check)(struct run *run, struct session *session);
	void (*end)(struct run *run);
	const char *detail[8];		/* names of what workers count besides */
};

const struct workload *workload_find(const char *name);
void workload_list(FILE *file);

struct outcome {
	uint64_t operations, missing, errors, detail[8];
	double seconds, cpu;		/* of the clock; of all threads but the main one */
	int error;
	struct store_stats before, after;
	struct vcpu_counts vcpu;
};

/* All threads load, or make @operations steps in all, or steps for @seconds. */
int run_load(struct run *run, struct outcome *outcome);
int run_steps(struct run *run, const char *phase, uint64_t operations, struct outcome *outcome);

void report(const struct run *run, const struct outcome *load, const struct outcome *outcome,
	    bool checked);

#endif /* TABBY_DRIVER_RUN_H */
