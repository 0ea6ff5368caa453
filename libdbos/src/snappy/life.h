/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of frames: when each came into a branch's page table, and when it left.
 *
 * Time is counted in epochs: a snapshot ends one. A frame that was mapped in epoch b and unlinked
 * in epoch d is what snapshots of the epochs b .. d - 1 see, and nobody else; so it is free when
 * there are none of these. No frame has a count of references.
 *
 * Frames are pages and tables: both are mapped by whoever made them, shared by snapshots, and
 * copied by whoever writes first.
 */
#ifndef DBOS_LIFE_H
#define DBOS_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/frames.h"

/* Epoch 0 is before all snapshots: nothing is born in it, and the process's own branch has it. */
#define FIRST_EPOCH 1

struct life {
	uint64_t birth;		/* epoch; its branch is younger */
	/*
	 * Of the flush behind its unlinking. Of a leaf table of the process's: of the flush behind
	 * its coming in another one's place; 0: it has yet to be raised.
	 */
	uint64_t generation;
	struct life *next;	/* in a list of those that a snapshot holds */
	uint64_t frame;		/* mapped by the process: where; free: its address, and its level */
};

/* A generation that is behind everybody: there was no other table before. */
#define LIFE_FLUSHED 1

/* In the low bits of an address: it was a table of that level, or 0: a page. */
#define LIFE_LEVEL 7ull

/* Frames that lie side by side: the pool, a member's own memory, or what was lent. */
struct lives_extent {
	uint64_t gpa, count;
	uint64_t va;			/* of a member; 0: it is lent for copies */
	struct life *life;
	char *inside, *outside;		/* where the memory is for the guest, and for the host */
};

static inline bool lives_are_of(const struct lives_extent *extent, const struct life *life)
{
	return life >= extent->life && life < extent->life + extent->count;
}

#define LIVES_EXTENTS 1024

/* The pool first, then others by rising address. Changes in a stopped world. */
struct lives {
	uint64_t count;
	struct lives_extent extent[LIVES_EXTENTS];
};

/* One more, for which there is room. In a stopped world. */
void lives_add(struct lives *lives, const struct lives_extent *extent);

/* NULL: none of ours. */
const struct lives_extent *lives_extent(const struct lives *lives, uint64_t gpa);

/* Of a frame that is one of ours. */
struct life *life_of(const struct lives *lives, uint64_t gpa);

/* A frame's memory, for the caller; of one that is ours. */
void *life_memory(const struct lives *lives, uint64_t gpa);

/* The same as the host has it, whoever calls. */
void *life_host_memory(const struct lives *lives, uint64_t gpa);

#endif /* DBOS_LIFE_H */
