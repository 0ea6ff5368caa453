/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TABBY_DRIVER_OPTIONS_H
#define TABBY_DRIVER_OPTIONS_H

#include "store/store.h"

#define FILES_MAX 16

/* Of main(): see errors in the README. */
enum status { STATUS_OK, STATUS_FAILED, STATUS_USAGE, STATUS_MISSING };

enum output { OUTPUT_JSON, OUTPUT_CSV };

struct options {
	struct store_config store;
	const char *files[FILES_MAX];
	const struct workload *workload;
	unsigned int threads, warehouses;
	bool zipfian;
	double theta;
	uint64_t records;
	uint64_t operations, warm_up;	/* in all; without @operations: for @seconds */
	double seconds;
	uint64_t seed;
	double scale;			/* TPC-C: of the cardinalities below a warehouse */
	enum output output;
	bool quiet, check, inside;
};

/* Says what is wrong on stderr, with the next command to type, and returns its status. */
enum status parse_options(int argc, char **argv, struct options *options);

#endif /* TABBY_DRIVER_OPTIONS_H */
