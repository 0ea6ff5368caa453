/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the program share: see main.c. */
#ifndef SNAPSHOT_FUZZ_H
#define SNAPSHOT_FUZZ_H

#include <stdbool.h>
#include <stdint.h>

#include <dbos/dbos.h>
#include <dbos/snapshot.h>

#include "check.h"

#define PAGE	DBOS_PAGE_SIZE
#define WORDS	(PAGE / sizeof(uint64_t))
#define PAGES	1024ul
#define WATCHED 64u		/* of them, far from one another, are written */
#define THREADS 3u
#define MARKS	64u		/* the first word of those that are written on snapshots alone */
#define SLOTS	12u

#define load(word)	   __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define store(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELEASE)

extern struct dbos *dbos;
extern uint64_t (*pages)[WORDS];	/* the member */

/* Words 0 to THREADS - 1 of a watched page are those threads' own to write. */
static inline uint64_t *watched(unsigned int i)
{
	return pages[i * (PAGES / WATCHED)];
}

struct worker {
	unsigned int number;
	uint64_t state;			/* of its random numbers */
	bool inside;
	uint64_t wrote[WATCHED];	/* into its own word of each */
	struct dbos_region *growing;
	char *grown;			/* its base */
	size_t size;
};

unsigned int draw(struct worker *worker, unsigned int below);

/*
 * A snapshot that anybody may take: for reading with others, or alone, to make or release it. What
 * the threads wrote never changes in it; of its maker it is known what that is.
 */
struct slot {
	int users;			/* -1: one, alone */
	struct dbos_snap *snap;		/* NULL: none */
	unsigned int maker;
	uint64_t wrote[WATCHED];	/* by the maker, at the cut */
	uint64_t sum;			/* of what all wrote */
};

/* One that has a snapshot (@full) or none, or NULL. To be given back. */
struct slot *slot_take(struct worker *worker, bool full, bool alone);
void slot_give_back(struct slot *slot);

/* Looks at a new snapshot, or again at an old one. */
void slot_fill(struct slot *slot, const struct worker *maker);
void slot_examine(const struct slot *slot);

/* Operations; false: there was nothing that it could be done to. */
struct operation {
	const char *name;
	bool (*run)(struct worker *worker);
	unsigned int weight;
};

extern const struct operation operations[];
extern const unsigned int operation_count;

/* What is done to other memory than the members', and by threads that come and go. */
bool make_region(struct worker *worker);
bool grow_region(struct worker *worker);
bool enter_or_leave(struct worker *worker);
bool make_thread(struct worker *worker);

/* Ends the program if an operation takes too long. */
void watchdog_begin(void);
void watchdog_end(void);
bool watched_run(struct worker *worker, unsigned int operation);
void print_counts(void);

#endif /* SNAPSHOT_FUZZ_H */
