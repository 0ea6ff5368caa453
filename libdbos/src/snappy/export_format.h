/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exporter sends: one byte, and with it descriptors. The first is of the index, a file that
 * begins with struct index_header and its runs, by rising address, and goes on with the pages that
 * had to be copied; the others are of files with pages that did not. All can be read only.
 */
#ifndef DBOS_EXPORT_FORMAT_H
#define DBOS_EXPORT_FORMAT_H

#include <stdint.h>

#include <dbos/mm.h>

#define INDEX_MAGIC 0x31706e73736f6264ull	/* "dbossnp1" */
#define INDEX_FILES 64				/* the index among them */

struct index_header {
	uint64_t magic;
	uint64_t taken_back;		/* written by the exporter at any time */
	uint64_t count;			/* of runs */
	uint64_t size;			/* of the whole file */
};

/* Bytes that follow one another in the snapshot, and in a file. Whole pages. */
struct index_run {
	uint64_t va, length;
	uint64_t file, offset;
};

/* What the runs begin with, in front of the first copied page. */
static inline uint64_t index_size(uint64_t runs)
{
	uint64_t size = sizeof(struct index_header) + runs * sizeof(struct index_run);

	return (size + DBOS_PAGE_SIZE - 1) & ~(DBOS_PAGE_SIZE - 1);
}

/* What the importer says when it is done: the exporter need not wait for more. */
#define IMPORT_DONE 'd'

#endif /* DBOS_EXPORT_FORMAT_H */
