/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snappy: snapshots of the members, which are ranges of pages of the process's addresses. What it
 * does and why that is right: docs/snappy.md.
 *
 * Below are the parts that run on the model as well; <dbos/snapshot.h> is the public side. Nothing
 * here may be called from a signal handler, under a spinlock or with an entry locked.
 */
#ifndef DBOS_SNAPPY_H
#define DBOS_SNAPPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/inflight.h"
#include "snappy/branch.h"
#include "snappy/histogram.h"
#include "snappy/life.h"
#include "snappy/ready.h"

#define SNAPPY_RANGE	(1ull << 21)
#define SNAPPY_MEMBERS	(LIVES_EXTENTS - 1)
#define SNAPPY_RUNS	(3 * SNAPPY_MEMBERS)

/*
 * A range of pages. A run of 2 MiB is kept if any of them has kept pages, or pages that are not of
 * one member: there the process never loses the right to write to these (create.c).
 */
struct member {
	uint64_t va, end;
	uint64_t gpa;			/* of its own memory */
	bool kept;			/* the process's stay where they are: see keep.h */
};

struct snappy_counters {
	uint64_t created, released;
	uint64_t tables, pages;		/* copied by writers */
	uint64_t stayed;		/* pages copied for snapshots; the process's stayed */
	uint64_t splits;		/* of 2 MiB leaves, by writers */
	uint64_t reused;		/* faults that found that nobody else has it any more */
	uint64_t kept;			/* pages copied at a cut, since the host was writing them */
	uint64_t waited;		/* frames that had to wait for a system call to end */
	uint64_t reborn;		/* pages that were copied to a member's own frame */
	uint64_t entries;		/* of page tables, copied or changed by cuts */
	uint64_t joined;		/* 2 MiB that are a leaf again */
	uint64_t unready;		/* cuts that would have taken a table, had one been ready */
	uint64_t mirrored;		/* entries of ready tables, changed with the process's */
	uint64_t faults;		/* writes that were not allowed where they were */
	uint64_t flushes, lazy_flushes;	/* waited for, on the branch; not waited for */
	uint64_t held;			/* frames unlinked by their owner that snapshots have */
	uint64_t live, oldest;		/* snapshots that are not given up; an epoch, or 0 */
	uint64_t dropped;		/* where no frame was left */
	uint64_t steps, longest_step;	/* of releases; the most that was done in one */
	uint64_t step_time[HISTOGRAM_BUCKETS];
	uint64_t create_time[HISTOGRAM_BUCKETS], release_time[HISTOGRAM_BUCKETS];
};

/* Entries looked at and frames handed on under one hold of the lock, or a table's more. */
#define RELEASE_STEP 512

struct engine;

/* All zero at first. */
struct snappy {
	struct cpus *cpus;
	struct frames *pool;
	struct inflights *inflights;
	const struct engine *engine;
	struct lives lives;
	struct branch own;		/* the process's */
	struct branch *on[CPUS_MAX];	/* where each vCPU is, if not there; its own to read */
	uint64_t lock;			/* who creates or releases: a vCPU's number + 1 */
	uint64_t lock_waiters, turns;	/* who waits for it; how often it was had */
	uint64_t step;			/* what a release does before it lets others have it */
	uint64_t epoch;			/* the present one */
	uint64_t branches;		/* beside the process's; released and ready ones too */
	uint64_t ready_count;
	struct ready ready[READY_MAX];
	struct branch *oldest, *youngest;	/* live.h */
	uint64_t drops;			/* the oldest one goes where no frame is left */
	uint64_t stays;			/* the process's pages stay: prioritised.h */
	struct branch *gone;		/* ancestors of one that was dropped, linked by ->elder */
	uint64_t member_count, run_count;
	struct member member[SNAPPY_MEMBERS];	/* disjoint, by rising address */
	struct member run[SNAPPY_RUNS];	/* the 2 MiB that hold them, disjoint, by rising address */
	struct spinlock waiting_lock;
	struct life *waiting;		/* free, but for a system call that uses them */
	struct spinlock resting_lock;
	struct life *resting;		/* members' frames that are free, oldest first */
	struct life **resting_unreached;	/* there begin those of generation 0 */
	uint64_t resting_count;
	struct snappy_counters counters;
};

/* The pool's lives, one for each frame of it, are zero; @table is the process's. */
void snappy_init(struct snappy *snappy, struct table *table, struct inflights *inflights,
		 struct life *pool_lives);

/*
 * Who creates, releases, or looks at several branches at once. Waits for others, and serves them
 * meanwhile; -EDEADLK: in a world that the caller has stopped, inside of a call, or the caller has
 * it, as by a write fault on what he copies to.
 */
int snappy_lock(struct snappy *snappy);
void snappy_unlock(struct snappy *snappy);

/* By who has it: whoever waits has it in between. */
void snappy_lock_again(struct snappy *snappy);

/*
 * members.c: [va, va + pages) becomes a member; its memory is at @memory->gpa. -EINVAL: no whole
 * pages; -EBUSY: there are snapshots, and it is not of whole 2 MiB that are its alone; -EEXIST:
 * part of it is one; -ENOSPC; -ENOMEM: no frame for a table; -EDEADLK. Snapshots that are there
 * have nothing at its addresses from now on. If @kept its pages stay where they are, as the host
 * sees them, and are copied for each snapshot of the process. Under snappy_lock().
 */
int snappy_add_member(struct snappy *snappy, uint64_t va, const struct lives_extent *memory,
		      bool kept);
/*
 * leave.c: the member that begins at @va is none any more; *memory is what it was added with, and
 * its pages are there again. -EINVAL: none begins there; -EBUSY: there are snapshots, or system
 * calls use it, or a write fault that has begun beside one; -EDEADLK. Under snappy_lock().
 */
int snappy_remove_member(struct snappy *snappy, uint64_t va, struct lives_extent *memory);
bool snappy_is_member(const struct snappy *snappy, uint64_t va);

/* Some page of [va, va + length) is a member's. */
bool snappy_has_members(const struct snappy *snappy, uint64_t va, uint64_t length);

/* [va, va + length) is partly in 2 MiB that hold pages of members. */
bool snappy_touches(const struct snappy *snappy, uint64_t va, uint64_t length);

/* frames.c: copies are made in this memory, which nobody uses. Under snappy_lock(). -ENOSPC. */
int snappy_lend(struct snappy *snappy, const struct lives_extent *memory);

/* create.c: under snappy_lock(). All vCPUs stand still meanwhile. -ENOMEM: nothing has changed. */
int snappy_create(struct snappy *snappy, struct branch *parent, struct branch *child);

/*
 * release.c: gives up a snapshot; under snappy_lock(). Returns the branches that are gone by that,
 * linked by ->elder: itself and, if they waited for it, its ancestors. It is the caller's, who has
 * closed it, or was dropped. The lock is given to
 * others in between.
 */
struct branch *snappy_release(struct snappy *snappy, struct branch *branch);

/* A cut that could not be finished: @child is nobody's, and nobody has seen it. */
void snappy_undo(struct snappy *snappy, struct branch *child);

/*
 * Gives up the oldest snapshot that nobody is on, but not @spare; under snappy_lock(). It stays
 * ->dropped until it is released. False: there is none.
 */
bool snappy_drop_oldest(struct snappy *snappy, const struct branch *spare);

/*
 * pressure.c: there was no frame, and what was asked for it may be asked again. False: there is
 * nothing to be had, or the program does not want that. From a write fault, between two attempts.
 */
bool snappy_make_room(struct snappy *snappy);

/*
 * break.c: makes the page at @va one that @branch may write: a write fault, in guest mode, with
 * interrupts off. 0: try again; -EFAULT: no entry, or no member, and it may not be written by
 * anybody; -ENOMEM.
 */
int snappy_break(struct snappy *snappy, struct branch *branch, uint64_t va);

/* The calling vCPU, which is inside, sees @branch from now on. False: it is being given up. */
bool snappy_attach(struct snappy *snappy, struct branch *branch);
void snappy_detach(struct snappy *snappy);
struct branch *snappy_here(struct snappy *snappy);

/*
 * roots.c: what the process's table has above its leaf tables for @va and @branch's has not, is
 * taken over. False: nothing was.
 */
bool snappy_take_entry(struct snappy *snappy, struct branch *branch, uint64_t va);

/* read.c: under snappy_lock(). -EFAULT: there is nothing at part of it, or it is no member's. */
int snappy_read(struct snappy *snappy, struct branch *branch, uint64_t va, void *to,
		uint64_t length);

/*
 * Each page of members that the branch has, by rising address, until @page returns other than 0.
 * Under snappy_lock().
 */
int snappy_each_page(struct snappy *snappy, const struct branch *branch,
		     int (*page)(void *arg, uint64_t va, uint64_t gpa), void *arg);

/* Pages of different frames, as ranges by rising address, until @found returns other than 0. */
int snappy_diff(struct snappy *snappy, struct branch *a, struct branch *b,
		int (*found)(void *arg, uint64_t va, uint64_t length), void *arg);

/* Releases what has waited for system calls that are over: inflights->ended. */
void snappy_calls_ended(void *snappy);

#endif /* DBOS_SNAPPY_H */
