/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A record: a key of 8 bytes, big-endian, and a value of 120, as in the paper. The value has its
 * key, a version, which each update raises by one, and a checksum, so that a value that is another
 * record's, half of one and half of the next, or from nowhere shows.
 */
#ifndef TABBY_YCSB_RECORD_H
#define TABBY_YCSB_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tree/node.h"

#define RECORD_WORDS 15
#define RECORD_SIZE  (RECORD_WORDS * sizeof(uint64_t))

struct record {
	uint64_t id, version;
	uint64_t filling[RECORD_WORDS - 3];
	uint64_t checksum;
};

struct record_key {
	uint64_t big_endian;
};

static inline struct record_key record_key(uint64_t id)
{
	return (struct record_key){ __builtin_bswap64(id) };
}

static inline struct key key_from(const struct record_key *key)
{
	return (struct key){ key, sizeof(*key) };
}

void record_make(struct record *record, uint64_t id, uint64_t version);

/* It is a value of @id. */
bool record_is_right(const struct record *record, uint64_t id);

#endif /* TABBY_YCSB_RECORD_H */
