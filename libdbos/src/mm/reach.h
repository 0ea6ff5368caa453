/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the process has what its guest sees: the way through the guest's page table and back
 * through the windows. The two addresses are the same until the guest changes an entry.
 *
 * Callable from where table_lookup() is. What comes out is true until somebody changes an entry,
 * as for a kernel that has looked a user page up.
 */
#ifndef DBOS_REACH_H
#define DBOS_REACH_H

#include <stdbool.h>
#include <stdint.h>

struct dbos;

struct reach {
	uint64_t host;		/* address */
	uint64_t length;	/* contiguous on both sides; at most what was asked for */
};

/*
 * What is at @va in the page table of @root (0: the process's own), which the guest is going to
 * read or write. False: the table does not allow that, or what it maps there is not the process's
 * memory. Where no window is, there is no entry of the guest's, and the address stands for itself.
 */
bool reach_find(const struct dbos *dbos, uint64_t root, uint64_t va, uint64_t length, bool write,
		struct reach *to);

/* The entry for @va is there: an access that reach_find() refuses lacks a right. */
bool reach_present(const struct dbos *dbos, uint64_t root, uint64_t va);

#endif /* DBOS_REACH_H */
