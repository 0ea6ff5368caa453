/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_TABBY_HASH_H
#define DBOS_TABBY_HASH_H

#include <stddef.h>
#include <stdint.h>

struct dbos_pool;

/* Page numbers are dense; their low bits become all bits. */
static inline uint64_t tabby_mix(uint64_t page)
{
	page *= 0x9e3779b97f4a7c15ull;
	return page ^ page >> 32;
}

size_t tabby_bucket_bytes(uint64_t buckets);
uint64_t tabby_hash_find(const struct dbos_pool *pool, uint64_t page);

#endif /* DBOS_TABBY_HASH_H */
