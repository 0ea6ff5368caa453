// SPDX-License-Identifier: BSD-2-Clause
/*
 * tabby: one workload on one engine, measured; see tabby --help. Loads, warms up, runs, checks,
 * closes, and prints the result. With the pool on the MMU all of that is done inside.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/run.h"

static const char *describe(int err)
{
	return err == -EILSEQ ? "not what must be there" : strerror(-err);
}

static bool failed(const char *what, int err)
{
	if (err)
		fprintf(stderr, "tabby: %s: %s\n", what, describe(err));
	return err;
}

static bool failed_phase(const char *what, int err, const struct outcome *outcome)
{
	if (failed(what, err))
		return true;
	if (outcome->errors)
		fprintf(stderr, "tabby: %s: %lu errors, the first: %s\n", what, outcome->errors,
			describe(outcome->error));
	return outcome->errors;
}

static bool check_all(struct run *run)
{
	const struct workload *workload = run->options->workload;
	struct session *session;

	if (failed("check", run->store->engine->enter(run->store, &session)))
		return false;
	if (failed("check", workload->check(run, session)))
		return false;
	run->store->engine->leave(session);
	return true;
}

/* A missing record is an error: none of the workloads asks for one that is not there. */
static bool measure(struct run *run)
{
	const struct options *o = run->options;
	struct outcome load = { 0 }, outcome;
	bool fine = true;

	if (o->store.create && failed_phase("load", run_load(run, &load), &load))
		return false;
	if (o->warm_up &&
	    failed_phase("warm-up", run_steps(run, "warm-up", o->warm_up, &outcome), &outcome))
		return false;
	fine = !failed_phase("run", run_steps(run, "run", o->operations, &outcome), &outcome);
	if (outcome.missing) {
		fprintf(stderr, "tabby: %lu records were not found\n", outcome.missing);
		fine = false;
	}
	if (o->check && fine)
		fine = check_all(run);
	report(run, &load, &outcome, o->check && fine);
	return fine;
}

static bool prepare(struct run *run)
{
	const struct options *o = run->options;

	run->worker = aligned_alloc(alignof(struct worker), o->threads * sizeof(struct worker));
	if (!run->worker)
		return false;
	memset(run->worker, 0, o->threads * sizeof(struct worker));
	for (unsigned int i = 0; i < o->threads; i++) {
		run->worker[i].run = run;
		run->worker[i].index = i;
		run->worker[i].random = random_seed(o->seed, i);
	}
	return !failed("prepare", o->workload->prepare(run));
}

static bool close_store(struct run *run)
{
	return !failed("close", run->store->engine->close(run->store));
}

static enum status run_all(const struct options *options)
{
	const struct store_engine *engine = store_find(options->store.engine);
	struct run run = { .options = options };
	bool fine;

	if (failed("open", engine->open(&options->store, &run.store)))
		return STATUS_FAILED;
	fine = prepare(&run) && measure(&run);
	if (!close_store(&run))
		fine = false;
	options->workload->end(&run);
	free(run.worker);
	return fine ? STATUS_OK : STATUS_FAILED;
}

static enum status enter(void)
{
	struct dbos_caps caps = { 0 };
	int err = dbos_init();

	if (err) {
		fprintf(stderr, "tabby: no virtual machine: %s; load dune.ko, or try --pool hash\n",
			strerror(-err));
		dbos_caps(NULL, &caps);
		for (size_t i = 0; i < caps.refused_count; i++)
			fprintf(stderr, "tabby: %s: %s\n", caps.refused[i].backend,
				caps.refused[i].why);
		return STATUS_MISSING;
	}
	return failed("enter", dbos_enter()) ? STATUS_FAILED : STATUS_OK;
}

int main(int argc, char **argv)
{
	static struct options options;
	enum status status = parse_options(argc, argv, &options);

	if (status == STATUS_OK && options.inside)
		status = enter();
	if (status == STATUS_OK)
		status = run_all(&options);
	if (dbos_inside())
		dbos_leave();
	return status;
}
