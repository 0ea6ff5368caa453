/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the program share: see main.c. */
#ifndef STORES_H
#define STORES_H

#include <dbos/dbos.h>
#include <dbos/snapshot.h>

#include "check.h"
#include "hash.h"
#include "oracle.h"
#include "tree.h"

#define load(word)	   __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define store(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELEASE)

extern struct heap *hash, *tree;	/* each the beginning of a member */

/* One operation on both stores. */
void operate(uint64_t sequence, uint64_t key, bool put);

/* Three of four put something. */
struct random {
	uint64_t state;
};

uint64_t draw(struct random *random, uint64_t below);

/* Vcpus that operate on the stores until they are ended. */
void writers_begin(unsigned int count, uint64_t seed);
void writers_end(void);

/* No writer is in an operation until the lock is given back. Returns the last one's number. */
uint64_t writers_lock(void);
void writers_unlock(void);

/* How many operations are over, and have been begun. */
uint64_t writers_done(void);
uint64_t writers_begun(void);

typedef void dump_fn(const struct heap *heap, struct dump *dump);

/* What the caller sees of the store is the model's. In the file it is written by the host. */
void compare_in_memory(dump_fn *dump_store, const struct heap *heap, const struct model *model,
		       const char *what);
void compare_in_file(dump_fn *dump_store, const struct heap *heap, const struct model *model,
		     const char *what);

/* A snapshot, and what has to be in it. */
struct taken {
	struct dbos_snap *snap;		/* NULL: none */
	bool both;			/* the hash table is good too */
	struct model model;
};

void compare_taken(struct taken *taken);

/* Operations on the snapshot, then a snapshot of it, and so on: each has what it must. */
void nest(struct taken *taken, unsigned int flags, struct random *random);

#endif /* STORES_H */
