/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool on the model, and its disk. Of a page the header and three words count: the first, one in
 * the middle, and the last. A page's words are all alike: its number and how often it was written.
 */
#ifndef POOL_DISK_H
#define POOL_DISK_H

#include "tabby/tabby.h"

#define DISK_PAGES  8
#define DISK_FRAMES 8

extern struct tabby pool;

/* How often each page was written by who had it pinned; what reads are compared with. */
extern uint64_t truth[DISK_PAGES];

/* What reads find while nobody writes. */
static inline uint64_t pool_word(uint64_t page, uint64_t count)
{
	return (page + 1) << 32 | count;
}

/*
 * @frames frames of at most @most, pages 1 and up on disk as they were written once. One transfer
 * in @failing fails, at any of its words; 0: none.
 */
void pool_begin(const struct tabby_kind *kind, unsigned int frames, unsigned int most,
		unsigned int failing);

/* The words of a frame that count, by vCPUs, a step each. */
#define POOL_WORDS 3
uint64_t pool_load(uint64_t frame, unsigned int word);
void pool_store(uint64_t frame, unsigned int word, uint64_t value);

/* Names are unique, versions have not gone back, nobody has interrupted anybody. At any time. */
void pool_check(void);

/* Nobody is at it any more: each frame is free or unlocked, no store is lost. */
void pool_check_end(void);

#endif /* POOL_DISK_H */
