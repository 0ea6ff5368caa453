/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool of page frames, handed out one by one.
 *
 * Each vCPU has a list of its own and goes to the partitions, which have a lock each, for a batch
 * at a time. Frames are not zeroed: a fresh pool is zero, and what is used again is as its last
 * user left it.
 *
 * A frame that was in the page table can't be used again at once: TLBs may still lead to it. It is
 * retired with the generation in which it was unlinked (tlb_flush), and waits in limbo until no
 * vCPU is behind that: tlb_settled().
 *
 * That takes no account of vCPUs outside. They flush on their way in, before they touch anything
 * but the code that does it; but until then a processor may walk ahead of use, from what it has
 * cached of the page table's upper levels (SDM 3A 4.10.3, APM 2 5.5). To a page that does nothing.
 * In what was a table, such a walk takes what is there now for entries, and sets accessed bits in
 * it. So a table's frame is handed out as a table's only, until all vCPUs have really flushed,
 * wherever they are: tlb_flushed(). And to one of the same or a higher level, for an entry of a
 * page, one level further up, would be one of a table, and the page be walked. Then the walk stays
 * in tables. What it leaves there is an accessed bit of some page's that was not accessed, which is
 * as good as one that was by speculation; what it translates to, the flush drops. This is for the
 * tables of all page tables, for by a frame's past a walk may come to where no CR3 leads. Any frame
 * may become a table.
 *
 * All functions may be called from anywhere in guest mode but under a spinlock, and from the host,
 * where there is no list of one's own.
 */
#ifndef DBOS_FRAMES_H
#define DBOS_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "cpu/cpus.h"
#include "cpu/spinlock.h"

#define FRAME_SIZE	  4096
#define FRAMES_PARTITIONS 4
#define FRAMES_BATCH	  8
#define FRAMES_LIST	  (2 * FRAMES_BATCH)
#define FRAMES_LEVELS	  4
#define FRAMES_ASK	  64	/* so many in limbo that vCPUs which are behind are asked */

/* Frame numbers are one too high, 0 is none. */
struct frame {
	uint64_t generation;	/* it was retired in */
	uint32_t next;		/* in limbo or in a free list */
	uint32_t level;		/* the highest of which it may be walked as a table; 0: none */
};

struct frame_list {
	uint32_t first, last, count;
};

struct frames_partition {
	struct spinlock lock;
	uint32_t fresh, end;		/* never used yet */
	struct frame_list free, limbo;
} __attribute__((aligned(64)));

/* Retired tables by level, from 1 on: in limbo, and behind it until all have flushed. */
struct frames_tables {
	struct spinlock lock;
	uint64_t count;			/* of all; without the lock a hint */
	struct frame_list list[FRAMES_LEVELS];
} __attribute__((aligned(64)));

/* The vCPU's alone, touched with interrupts off. */
struct frames_own {
	struct frame_list free, limbo;
};

struct frames {
	struct cpus *cpus;
	char *memory;
	uint64_t gpa;
	uint32_t count;
	struct frame *frame;
	struct frames_partition partition[FRAMES_PARTITIONS];
	struct frames_tables tables;
	struct frames_own own[CPUS_MAX];
};

/*
 * @memory: @count frames, zero, mapped; guest-physically at @gpa, which is not 0. @frame: an array
 * of @count, zero. All else of *frames is zero.
 */
void frames_create(struct frames *frames, struct cpus *cpus, void *memory, uint64_t gpa,
		   uint32_t count, struct frame *frame);

/*
 * The guest-physical address of a frame, or 0: there is none, though every vCPU was asked to catch
 * up (which makes this a quiescent point) and what they free is back. Up to 4 * FRAMES_BATCH
 * frames may lie in the lists of each other vCPU, and what were tables waits for those outside.
 */
uint64_t frames_alloc(struct frames *frames);

/* The same for a table of @level, 1 to FRAMES_LEVELS, or a higher one. */
uint64_t frames_alloc_table(struct frames *frames, unsigned int level);

/* Of either, if no entry has ever led to it. */
void frames_free(struct frames *frames, uint64_t gpa);

/* Of one that was a page in one, up to @generation. */
void frames_retire(struct frames *frames, uint64_t gpa, uint64_t generation);

/* Of one that was a table of @level there: with entries of that level. */
void frames_retire_table(struct frames *frames, uint64_t gpa, unsigned int level,
			 uint64_t generation);

/* All that vCPU @number has goes back to the partitions; it is outside, or calls this itself. */
void frames_give_back(struct frames *frames, unsigned int number);

/* The frame's memory. */
static inline void *frames_memory(const struct frames *frames, uint64_t gpa)
{
	return frames->memory + (gpa - frames->gpa);
}

#endif /* DBOS_FRAMES_H */
