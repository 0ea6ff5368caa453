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
 * vCPU is behind that.
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

/* Of a frame in limbo or in a free list; frame numbers are one too high, 0 is none. */
struct frame {
	uint64_t generation;
	uint32_t next;
};

struct frame_list {
	uint32_t first, last, count;
};

struct frames_partition {
	struct spinlock lock;
	uint32_t fresh, end;		/* never used yet */
	struct frame_list free, limbo;
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
 * frames may lie in the lists of each other vCPU.
 */
uint64_t frames_alloc(struct frames *frames);

/* Of a frame that was never in the page table. */
void frames_free(struct frames *frames, uint64_t gpa);

/* Of one that was, up to @generation. */
void frames_retire(struct frames *frames, uint64_t gpa, uint64_t generation);

/* All that vCPU @number has goes back to the partitions; it is outside, or calls this itself. */
void frames_give_back(struct frames *frames, unsigned int number);

/* The frame's memory. */
static inline void *frames_memory(const struct frames *frames, uint64_t gpa)
{
	return frames->memory + (gpa - frames->gpa);
}

#endif /* DBOS_FRAMES_H */
