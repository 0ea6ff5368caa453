// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "driver/run.h"
#include "tpcc/tpcc.h"
#include "ycsb/ycsb.h"

static const struct workload *const workloads[] = {
	&ycsb_a, &ycsb_b, &ycsb_c, &ycsb_d, &ycsb_e, &ycsb_f, &ycsb_pages, &tpcc,
};

#define COUNT (sizeof(workloads) / sizeof(workloads[0]))

const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (!strcmp(workloads[i]->name, name))
			return workloads[i];
	}
	return NULL;
}

void workload_list(FILE *file)
{
	for (size_t i = 0; i < COUNT; i++)
		fprintf(file, "  %-8s %s\n", workloads[i]->name, workloads[i]->about);
}
