// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "driver/run.h"

static const char usage[] =
	"usage: tabby --pool ENGINE --workload WORKLOAD --file FILE [OPTION...]\n"
	"  --pool ENGINE          what keeps the records; see below\n"
	"  --workload WORKLOAD    what is done to them; see below\n"
	"  --file FILE            file or block device; again for each more (stripes); for lmdb,\n"
	"                         rocksdb and wiredtiger one directory, empty or not there\n"
	"  --frames N             of 4 KiB, that the pool or a peer's cache has; 4096\n"
	"  --pages N              of 4 KiB, that the store may have; 1048576\n"
	"  --batch N              pages that are evicted together; 64\n"
	"  --threads N            1\n"
	"  --records N            ycsb and read; 100000\n"
	"  --distribution D       ycsb and read: uniform, or zipfian (scrambled); uniform\n"
	"  --theta T              of zipfian, between 0 and 1; 0.9\n"
	"  --scale S              tpcc: share of the cardinalities below a warehouse; 0.1\n"
	"  --warehouses N         tpcc: one for each thread if not said\n"
	"  --operations N         in all threads; else --seconds\n"
	"  --seconds S            10\n"
	"  --warm-up N            operations that are not measured; 0\n"
	"  --seed N               1; the same operations for the same seed and --threads\n"
	"  --open                 what an earlier run has left there; nothing is loaded\n"
	"  --check                verify each value that is read, and all of them at the end\n"
	"  --inside               enter libdbos's virtual machine also with hash and madvise\n"
	"  --no-checksums, --no-ring   of the pool\n"
	"  --output json|csv      on stdout; json\n"
	"  --quiet                no progress on stderr\n";

enum { POOL = 256, WORKLOAD, FILE_NAME, FRAMES, PAGES, BATCH, THREADS, RECORDS, DISTRIBUTION,
       THETA, SCALE, WAREHOUSES, OPERATIONS, SECONDS, WARM_UP, SEED, OPEN, CHECK, INSIDE,
       NO_CHECKSUMS, NO_RING, OUTPUT, QUIET, HELP };

static const struct option names[] = {
	{ "pool", required_argument, NULL, POOL },
	{ "workload", required_argument, NULL, WORKLOAD },
	{ "file", required_argument, NULL, FILE_NAME },
	{ "frames", required_argument, NULL, FRAMES },
	{ "pages", required_argument, NULL, PAGES },
	{ "batch", required_argument, NULL, BATCH },
	{ "threads", required_argument, NULL, THREADS },
	{ "records", required_argument, NULL, RECORDS },
	{ "distribution", required_argument, NULL, DISTRIBUTION },
	{ "theta", required_argument, NULL, THETA },
	{ "scale", required_argument, NULL, SCALE },
	{ "warehouses", required_argument, NULL, WAREHOUSES },
	{ "operations", required_argument, NULL, OPERATIONS },
	{ "seconds", required_argument, NULL, SECONDS },
	{ "warm-up", required_argument, NULL, WARM_UP },
	{ "seed", required_argument, NULL, SEED },
	{ "open", no_argument, NULL, OPEN },
	{ "check", no_argument, NULL, CHECK },
	{ "inside", no_argument, NULL, INSIDE },
	{ "no-checksums", no_argument, NULL, NO_CHECKSUMS },
	{ "no-ring", no_argument, NULL, NO_RING },
	{ "output", required_argument, NULL, OUTPUT },
	{ "quiet", no_argument, NULL, QUIET },
	{ "help", no_argument, NULL, HELP },
	{ NULL, 0, NULL, 0 },
};

static enum status refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static enum status refuse(const char *format, ...)
{
	va_list arguments;

	fputs("tabby: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("; try: tabby --help\n", stderr);
	return STATUS_USAGE;
}

static void show_help(void)
{
	fputs(usage, stdout);
	fputs("engines:\n", stdout);
	store_list(stdout);
	fputs("workloads:\n", stdout);
	workload_list(stdout);
}

/* A whole number from @least on. */
static bool number(const char *text, uint64_t least, uint64_t *to)
{
	char *end;

	errno = 0;
	*to = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *to >= least;
}

static bool real(const char *text, double least, double most, double *to)
{
	char *end;

	*to = strtod(text, &end);
	return end != text && !*end && isfinite(*to) && *to > least && *to <= most;
}

static bool small(const char *text, unsigned int *to)
{
	uint64_t n;

	if (!number(text, 1, &n) || n > 65536)
		return false;
	*to = n;
	return true;
}

static bool one_of(const char *text, const char *no, const char *yes, bool *is)
{
	*is = !strcmp(text, yes);
	return *is || !strcmp(text, no);
}

static bool take_sizes(struct options *o, int option, const char *text)
{
	switch (option) {
	case FRAMES:
		return number(text, 8, &o->store.frames);
	case PAGES:
		return number(text, 8, &o->store.pages);
	case BATCH:
		return small(text, &o->store.batch);
	case THREADS:
		return small(text, &o->threads);
	case WAREHOUSES:
		return small(text, &o->warehouses);
	case RECORDS:
		return number(text, 1, &o->records);
	case OPERATIONS:
		return number(text, 1, &o->operations);
	case WARM_UP:
		return number(text, 0, &o->warm_up);
	case SEED:
		return number(text, 0, &o->seed);
	case SECONDS:
		return real(text, 0, 1e6, &o->seconds);
	case THETA:
		return real(text, 0, 0.999, &o->theta);
	case SCALE:
		return real(text, 0, 1, &o->scale);
	}
	return false;
}

static bool take_switch(struct options *o, int option)
{
	switch (option) {
	case OPEN:
		o->store.create = false;
		return true;
	case CHECK:
		return o->check = true;
	case INSIDE:
		return o->inside = true;
	case NO_CHECKSUMS:
		o->store.checksums = false;
		return true;
	case NO_RING:
		o->store.ring = false;
		return true;
	case QUIET:
		return o->quiet = true;
	}
	return false;
}

static bool take(struct options *o, int option, const char *text)
{
	bool csv;

	switch (option) {
	case POOL:
		o->store.engine = text;
		return true;
	case WORKLOAD:
		o->workload = workload_find(text);
		return o->workload;
	case FILE_NAME:
		if (o->store.file_count == FILES_MAX)
			return false;
		o->files[o->store.file_count++] = text;
		return true;
	case DISTRIBUTION:
		return one_of(text, "uniform", "zipfian", &o->zipfian);
	case OUTPUT:
		if (!one_of(text, "json", "csv", &csv))
			return false;
		o->output = csv ? OUTPUT_CSV : OUTPUT_JSON;
		return true;
	}
	return text ? take_sizes(o, option, text) : take_switch(o, option);
}

static enum status check(struct options *o)
{
	if (!o->store.engine || !o->workload || !o->store.file_count)
		return refuse("--pool, --workload and --file are needed");
	if (!store_find(o->store.engine)) {
		fprintf(stderr, "tabby: there is no engine %s here; choose one of\n",
			o->store.engine);
		store_list(stderr);
		return STATUS_MISSING;
	}
	if (!strcmp(o->store.engine, "mmu"))
		o->inside = true;
	if (o->workload == workload_find("read") && !store_find(o->store.engine)->read_page)
		return refuse("%s has no pages to read", o->store.engine);
	if (!o->warehouses)
		o->warehouses = o->threads;
	return STATUS_OK;
}

enum status parse_options(int argc, char **argv, struct options *o)
{
	int option, index = 0;

	*o = (struct options){
		.store = { .frames = 4096, .pages = 1 << 20, .create = true, .checksums = true,
			   .ring = true },
		.threads = 1, .theta = 0.9, .records = 100000, .seconds = 10, .seed = 1,
		.scale = 0.1,
	};
	o->store.files = o->files;
	while ((option = getopt_long(argc, argv, "", names, &index)) != -1) {
		if (option == HELP) {
			show_help();
			exit(STATUS_OK);
		}
		if (option < POOL)
			return STATUS_USAGE;
		if (!take(o, option, names[index].has_arg ? optarg : NULL))
			return refuse("--%s cannot be '%s'", names[index].name, optarg);
	}
	if (optind < argc)
		return refuse("'%s' is no option", argv[optind]);
	return check(o);
}
