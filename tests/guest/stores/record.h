/* SPDX-License-Identifier: BSD-2-Clause */
/* What both stores keep, and what a dump is made of: records by rising key, in a row. */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>

#define KEYS	  1024ul
#define LONGEST	  200ul			/* bytes of a value */
#define DUMP_SIZE (KEYS * (sizeof(struct record) + LONGEST))

struct record {
	uint64_t key, length;
	char bytes[];
};

static inline size_t record_size(const struct record *record)
{
	return sizeof(*record) + record->length;
}

/* The value that is put under @key as operation @sequence: both are in each of its bytes. */
static inline void record_fill(struct record *record, uint64_t key, uint64_t sequence)
{
	uint64_t state = sequence * 0x9e3779b97f4a7c15ull ^ key;

	record->key = key;
	record->length = state % (LONGEST + 1);
	for (uint64_t i = 0; i < record->length; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		record->bytes[i] = state >> 56;
	}
}

/* Where a dump goes. */
struct dump {
	void (*add)(struct dump *dump, const struct record *record);
	char *memory;
	size_t length;
	int file;
};

#endif /* RECORD_H */
