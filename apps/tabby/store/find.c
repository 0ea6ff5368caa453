// SPDX-License-Identifier: BSD-2-Clause
#include "store/store.h"

/* A peer is compiled in if its header was found: the makefile defines HAVE_ for each. */
static const struct {
	const char *name;
	const struct store_engine *engine;
	const char *package;
} engines[] = {
	{ "mmu", &store_mmu, NULL },
	{ "hash", &store_hash, NULL },
	{ "madvise", &store_madvise, NULL },
#ifdef HAVE_LMDB
	{ "lmdb", &store_lmdb, NULL },
#else
	{ "lmdb", NULL, "liblmdb-dev" },
#endif
#ifdef HAVE_ROCKSDB
	{ "rocksdb", &store_rocksdb, NULL },
#else
	{ "rocksdb", NULL, "librocksdb-dev" },
#endif
#ifdef HAVE_WIREDTIGER
	{ "wiredtiger", &store_wiredtiger, NULL },
#else
	{ "wiredtiger", NULL, "libwiredtiger-dev" },
#endif
};

#define COUNT (sizeof(engines) / sizeof(engines[0]))

const struct store_engine *store_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (!strcmp(engines[i].name, name))
			return engines[i].engine;
	}
	return NULL;
}

void store_list(FILE *file)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (engines[i].engine)
			fprintf(file, "  %s\n", engines[i].name);
		else
			fprintf(file, "  %s: not in this program; install %s and make it again\n",
				engines[i].name, engines[i].package);
	}
}
