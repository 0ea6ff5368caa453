// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "driver/run.h"

#define SECOND 1000000000ull

/* The clock is asked by the main thread only; workers look at a flag. */
static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void note_error(struct worker *worker, int err)
{
	if (!worker->error)
		worker->error = err;
	__atomic_store_n(&worker->errors, worker->errors + 1, __ATOMIC_RELAXED);
}

static void work(struct worker *worker)
{
	struct run *run = worker->run;
	unsigned int threads = run->options->threads;
	uint64_t share = (run->limit + threads - 1 - worker->index) / threads;

	if (run->load) {
		int err = run->options->workload->load(worker);

		if (err)
			note_error(worker, err);
		return;
	}
	while (run->limit ? share-- : !__atomic_load_n(&run->stop, __ATOMIC_RELAXED)) {
		int err = run->step(worker);

		if (err)
			note_error(worker, err);
		__atomic_store_n(&worker->operations, worker->operations + 1, __ATOMIC_RELAXED);
	}
}

static void vcpu_difference(struct dbos_vcpu_stats *after, const struct dbos_vcpu_stats *before)
{
	after->entries -= before->entries;
	after->faults -= before->faults;
	after->tlb_flushes -= before->tlb_flushes;
	after->syscalls -= before->syscalls;
}

/* Nothing is entered, and nothing allocated, between the barrier and the end of the work. */
static void *run_worker(void *arg)
{
	struct worker *worker = arg;
	struct run *run = worker->run;
	struct dbos_vcpu_stats before = { 0 };
	int err = run->options->inside ? dbos_enter() : 0;
	bool inside = run->options->inside && !err;

	if (!err)
		err = run->store->engine->enter(run->store, &worker->session);
	if (inside)
		dbos_vcpu_stats(&before);
	pthread_barrier_wait(&run->start);
	if (!err) {
		work(worker);
		if (inside && !dbos_vcpu_stats(&worker->vcpu))
			vcpu_difference(&worker->vcpu, &before);
		__atomic_sub_fetch(&run->left, 1, __ATOMIC_RELEASE);
		run->store->engine->leave(worker->session);
	} else {
		note_error(worker, err);
		__atomic_sub_fetch(&run->left, 1, __ATOMIC_RELEASE);
	}
	if (inside)
		dbos_leave();
	return NULL;
}

static uint64_t count_operations(const struct run *run)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < run->options->threads; i++)
		sum += __atomic_load_n(&run->worker[i].operations, __ATOMIC_RELAXED);
	return sum;
}

static void show_progress(const struct run *run, double seconds, uint64_t operations,
			  const struct dbos_pool_stats *last)
{
	struct store_stats stats = { 0 };

	run->store->engine->stats(run->store, &stats);
	fprintf(stderr, "%s %.0f s: %lu operations/s", run->phase, seconds, operations);
	if (stats.known)
		fprintf(stderr, ", %lu pages read, %lu written, %lu evicted",
			stats.pool.reads - last->reads, stats.pool.writes - last->writes,
			stats.pool.evictions - last->evictions);
	fputc('\n', stderr);
}

/* Until all workers have ended; a line each second. Returns when the last of them had. */
static double watch(struct run *run, double start)
{
	struct timespec step = { 0, SECOND / 200 };
	struct store_stats stats = { 0 };
	uint64_t last = 0;
	double next = start + 1, time = start;

	run->store->engine->stats(run->store, &stats);
	while (__atomic_load_n(&run->left, __ATOMIC_ACQUIRE)) {
		nanosleep(&step, NULL);
		time = now();
		if (!run->load && !run->limit && time - start >= run->options->seconds)
			__atomic_store_n(&run->stop, 1, __ATOMIC_RELAXED);
		if (time >= next && !run->options->quiet) {
			uint64_t operations = count_operations(run);

			show_progress(run, time - start, operations - last, &stats.pool);
			run->store->engine->stats(run->store, &stats);
			last = operations;
			next += 1;
		}
	}
	return time;
}

static void collect(const struct run *run, struct outcome *outcome)
{
	for (unsigned int i = 0; i < run->options->threads; i++) {
		const struct worker *worker = &run->worker[i];

		outcome->operations += worker->operations;
		outcome->missing += worker->missing;
		outcome->errors += worker->errors;
		if (!outcome->error)
			outcome->error = worker->error;
		for (unsigned int d = 0; d < 8; d++)
			outcome->detail[d] += worker->detail[d];
		outcome->vcpu.entries += worker->vcpu.entries;
		outcome->vcpu.faults += worker->vcpu.faults;
		outcome->vcpu.tlb_flushes += worker->vcpu.tlb_flushes;
		outcome->vcpu.syscalls += worker->vcpu.syscalls;
	}
}

static void reset(struct worker *worker)
{
	worker->operations = worker->missing = worker->errors = 0;
	worker->error = 0;
	worker->vcpu = (struct dbos_vcpu_stats){ 0 };
	memset(worker->detail, 0, sizeof(worker->detail));
}

/* A thread that cannot be made leaves the others at the barrier: then the program ends. */
static int run_phase(struct run *run, struct outcome *outcome)
{
	unsigned int threads = run->options->threads;
	double start, cpu_start;

	*outcome = (struct outcome){ 0 };
	run->stop = 0;
	run->left = threads;
	pthread_barrier_init(&run->start, NULL, threads + 1);
	for (unsigned int i = 0; i < threads; i++) {
		reset(&run->worker[i]);
		if (pthread_create(&run->worker[i].thread, NULL, run_worker, &run->worker[i]))
			return -EAGAIN;
	}
	run->store->engine->stats(run->store, &outcome->before);
	run->first = outcome->before;
	start = now();
	cpu_start = cpu();
	pthread_barrier_wait(&run->start);
	outcome->seconds = watch(run, start) - start;
	outcome->cpu = cpu() - cpu_start;
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(run->worker[i].thread, NULL);
	run->store->engine->stats(run->store, &outcome->after);
	pthread_barrier_destroy(&run->start);
	collect(run, outcome);
	return 0;
}

int run_load(struct run *run, struct outcome *outcome)
{
	run->phase = "load";
	run->load = true;
	return run_phase(run, outcome);
}

int run_steps(struct run *run, const char *phase, uint64_t operations, struct outcome *outcome)
{
	run->phase = phase;
	run->load = false;
	run->limit = operations;
	run->step = run->options->workload->step;
	return run_phase(run, outcome);
}
