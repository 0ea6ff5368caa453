// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>
#include <time.h>

#include "driver/run.h"

#define SECOND 1000000000ull

/* Clocks are asked by the main thread only; workers look at a flag. */
static double clock_now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Of the process, user and system, without this thread, which only looks on. */
static double cpu(void)
{
	return clock_now(CLOCK_PROCESS_CPUTIME_ID) - clock_now(CLOCK_THREAD_CPUTIME_ID);
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

/* Of the calling thread's vCPU. */
static void count_vcpu(struct vcpu_counts *counts)
{
	dbos_vcpu_stats(&counts->own);
	dbos_flush_stats(dbos_instance(), &counts->flush);
}

/* @times is 1, or -1ull to take @counts away again: unsigned numbers wrap. */
static void add_vcpu(struct vcpu_counts *to, const struct vcpu_counts *counts, uint64_t times)
{
	to->own.entries += times * counts->own.entries;
	to->own.faults += times * counts->own.faults;
	to->own.tlb_flushes += times * counts->own.tlb_flushes;
	to->own.syscalls += times * counts->own.syscalls;
	to->flush.pages += times * counts->flush.pages;
	to->flush.all += times * counts->flush.all;
	to->flush.interrupts += times * counts->flush.interrupts;
}

/* Nothing is entered, and nothing allocated, between the barrier and the end of the work. */
static void *run_worker(void *arg)
{
	struct worker *worker = arg;
	struct run *run = worker->run;
	struct vcpu_counts before = { 0 };
	int err = run->options->inside ? dbos_enter() : 0;
	bool inside = run->options->inside && !err;

	if (!err)
		err = run->store->engine->enter(run->store, &worker->session);
	if (inside)
		count_vcpu(&before);
	pthread_barrier_wait(&run->start);
	if (!err) {
		work(worker);
		if (inside) {
			count_vcpu(&worker->vcpu);
			add_vcpu(&worker->vcpu, &before, -1ull);
		}
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
		time = clock_now(CLOCK_MONOTONIC);
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
		add_vcpu(&outcome->vcpu, &worker->vcpu, 1);
	}
}

static void reset(struct worker *worker)
{
	worker->operations = worker->missing = worker->errors = 0;
	worker->error = 0;
	worker->vcpu = (struct vcpu_counts){ 0 };
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
	start = clock_now(CLOCK_MONOTONIC);
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
