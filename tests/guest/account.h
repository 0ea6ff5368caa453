/* SPDX-License-Identifier: BSD-2-Clause */
/* What the process has of what can be leaked: descriptors, address space, memory. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "check.h"
#include "entries.h"

struct account {
	long descriptors, pages, resident;
};

/*
 * Of the process's own memory: pages of files come by sixteen at the first touch of some code,
 * whenever that is. Counted page by page, for the kernel's counter may be off by 64 a thread.
 */
static inline long count_resident(void)
{
	FILE *rollup = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long kib = -1;

	check(rollup, "no smaps_rollup");
	while (kib < 0 && fgets(line, sizeof(line), rollup))
		sscanf(line, "Anonymous: %ld", &kib);
	fclose(rollup);
	check(kib >= 0, "smaps_rollup");
	return kib / 4;
}

static inline struct account take_account(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	struct account account = { .resident = count_resident() };

	check(statm, "no statm");
	check(fscanf(statm, "%ld", &account.pages) == 1, "statm");
	fclose(statm);
	account.descriptors = count_entries("/proc/self/fd");
	return account;
}

#endif /* ACCOUNT_H */
