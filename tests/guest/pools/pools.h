/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the program share: see main.c. */
#ifndef POOLS_H
#define POOLS_H

#include <stdint.h>

#include <dbos/pool.h>

#include "check.h"

#define load(word)	   __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define store(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELEASE)

extern enum dbos_pool_kind kind;
extern struct dbos *dbos;	/* NULL: not MMU, and nobody is inside */
extern const char *path;	/* of a file that the tests may have */
extern uint64_t rounds;

struct random {
	uint64_t state;
};

uint64_t draw(struct random *random, uint64_t below);
extern struct random random_;

/*
 * Pages as these tests have them: every word of the content tells the page, how often it was
 * written, and which word it is.
 */
#define WORDS (DBOS_POOL_CONTENT / 8)
void fill_page(void *content, uint64_t page, uint64_t generation);
/* The generation; *whole: all words are of it and of @page. */
uint64_t generation_of(const void *content, uint64_t page, bool *whole);
uint64_t check_page(const void *content, uint64_t page, const char *how);

/* The configuration that all have: PAGES and FRAMES. */
#define PAGES  640
#define FRAMES 64
struct dbos_pool_config configuration(unsigned int flags);

/* A new store in the file, of PAGES pages of generation 0 from FIRST on. */
struct dbos_pool *new_store(int *fd, uint64_t frames, uint64_t frames_max);
void make_pages(struct dbos_pool *pool);
#define FIRST DBOS_POOL_FIRST
#define END   (FIRST + PAGES)

/* By another kind that needs no privilege: the sum of all generations, each page whole. */
uint64_t sum_of_file(int fd);

/* Nobody is at it: each name once, each frame free or unlocked. */
void check_frames(const struct dbos_pool *pool);

/*
 * Threads (vCPUs for MMU) that read and write random pages, until they have made so many
 * operations or are told to end. Ends with no interrupt sent by any of them.
 */
#define THREADS 2
void users_begin(struct dbos_pool *pool, uint64_t operations);
void users_tell(void);
uint64_t users_end(void);	/* how many writes */

void updates_are_kept(void);
void what_was_evicted_is_not_valid(void);
void who_is_stale_repairs(void);
void errors_lose_nothing(void);
void a_power_cut_is_survived(void);
void frames_come_and_go(void);
void a_snapshot_sees_the_pool_as_it_is(void);
void misuse_is_refused(void);

#endif /* POOLS_H */
