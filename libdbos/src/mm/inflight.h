/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host uses of guest memory for a system call that is under way: noted by the vCPU that
 * makes the call, for whoever moves memory from one frame to another meanwhile.
 *
 * A call takes frames, not addresses: it goes on reading and writing what was looked up before it
 * began. So who copies a page must know which of its bytes the host may still write, and who has
 * taken a frame out of the page table must know whether the host still reads it.
 *
 * Notes are left while the vCPU walks (cpu_walks), so before it is outside: whoever waits for
 * walkers of a page table, by a flush (tlb_flush_roots) or a stopped world, sees the notes of all
 * calls that have looked up what was there before. They are erased when the vCPU walks again, so
 * not in a stopped world.
 */
#ifndef DBOS_INFLIGHT_H
#define DBOS_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpus.h"
#include "cpu/spinlock.h"

#define INFLIGHT_PIECES 8

/* Contiguous on both sides. */
struct inflight_piece {
	uint64_t va, host, length;
	bool write;
};

/* Of one vCPU. */
struct inflight {
	struct spinlock lock;
	uint64_t root;			/* the page table that was looked up */
	uint64_t count;			/* in all */
	uint64_t room;			/* of *more */
	struct inflight_piece piece[INFLIGHT_PIECES];
	struct inflight_piece *more;	/* those that do not fit */
};

/* All zero at first. */
struct inflights {
	/* How many frames wait for calls to end: then @ended is called, by whoever ends one. */
	uint64_t waiting;
	void (*ended)(void *arg);
	/* Whether any of [va, va + length) may move; NULL: nothing does. Others need no notes. */
	bool (*moves)(const void *arg, uint64_t va, uint64_t length);
	/* Whether one of its pages moves: not the process's to map anew. NULL: as above. */
	bool (*owns)(const void *arg, uint64_t va, uint64_t length);
	void *arg;
	struct inflight cpu[CPUS_MAX];
};

/* From the host, by the vCPU itself, which walks. */
void inflight_begin(struct inflight *inflight, uint64_t root);

/* False: no room. Then @more has some, for @room pieces more in all, until the call is over. */
bool inflight_add(struct inflight *inflight, const struct inflight_piece *piece);
void inflight_make_room(struct inflight *inflight, struct inflight_piece *more, uint64_t room);

/* The call is over. The vCPU walks. */
void inflight_end(struct inflights *inflights, unsigned int number);

/*
 * Calls that use any of the host's [from, to), and were begun before what was there left the page
 * table and its walkers were waited for. From anywhere but under a spinlock.
 */
bool inflight_uses(struct inflights *inflights, uint64_t limit, uint64_t from, uint64_t to);

/* The same of calls that have looked up another page table than @root. */
bool inflight_uses_beside(struct inflights *inflights, uint64_t limit, uint64_t root,
			  uint64_t from, uint64_t to);

static inline const struct inflight_piece *inflight_at(const struct inflight *inflight, uint64_t i)
{
	return i < INFLIGHT_PIECES ? &inflight->piece[i] : &inflight->more[i - INFLIGHT_PIECES];
}

#endif /* DBOS_INFLIGHT_H */
