/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keeps the records: tables of values by key, in order. One adapter per engine, all behind
 * these functions, so that what is measured differs in nothing but the engine.
 *
 * Each thread works through a session of its own. Between begin() and commit() nobody else changes
 * what the session uses: the workload sees to that (tpcc/lock.h), not the engine; so engines
 * that have no transactions do nothing there. Functions return 0, or where said a size, or -errno.
 */
#ifndef TABBY_STORE_H
#define TABBY_STORE_H

#include "tree/tree.h"

#define STORE_TABLES 16

struct store_config {
	const char *engine;
	uint64_t frames, pages;		/* of 4 KiB: of the cache, and of the files at most */
	const char **files;		/* of an engine with files of its own, one directory */
	unsigned int file_count;
	unsigned int batch;
	bool create;			/* begin an empty one, whatever is there; else open it */
	bool checksums;
	bool ring;
};

struct store {
	const struct store_engine *engine;
	bool direct;			/* no page is in the kernel's cache as well */
};

struct session {
	struct store *store;
};

struct store_stats {
	bool known;			/* the engine has such counters */
	struct dbos_pool_stats pool;
};

/* Returns false when that was enough. It must not use the store. */
typedef bool (*store_visit_fn)(void *arg, struct key key, const void *value, size_t size);

struct store_engine {
	const char *name;
	int (*open)(const struct store_config *config, struct store **store);
	int (*close)(struct store *store);
	int (*enter)(struct store *store, struct session **session);
	void (*leave)(struct session *session);

	int (*begin)(struct session *session, bool writes);
	int (*commit)(struct session *session);

	/* -EEXIST. */
	int (*insert)(struct session *session, unsigned int table, struct key key,
		      const void *value, size_t size);
	/* -ENOENT; else the value's size, of which as much is copied as @size has room for. */
	int (*lookup)(struct session *session, unsigned int table, struct key key, void *value,
		      size_t size);
	/* Another value, of the same size; the second by what @change makes of it, at once. */
	int (*replace)(struct session *session, unsigned int table, struct key key,
		       const void *value, size_t size);
	int (*change)(struct session *session, unsigned int table, struct key key,
		      tree_change_fn change, void *arg);
	int (*remove)(struct session *session, unsigned int table, struct key key);
	/* From @key on, up or down, that one included. */
	int (*scan)(struct session *session, unsigned int table, struct key key, bool down,
		    store_visit_fn visit, void *arg);
	/* Word @at of page @page, modulo what it has, and nothing else. NULL: it cannot. */
	int (*read_page)(struct session *session, uint64_t page, uint64_t at);
	void (*stats)(struct store *store, struct store_stats *stats);
};

/* By name: mmu, hash, madvise, or a peer that was there when this was compiled; else NULL. */
const struct store_engine *store_find(const char *name);

/* Says on @file, one to a line, which there are and why others are not. */
#include <stdio.h>
void store_list(FILE *file);

extern const struct store_engine store_mmu, store_hash, store_madvise;
extern const struct store_engine store_lmdb, store_rocksdb, store_wiredtiger;

#endif /* TABBY_STORE_H */
