/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots: memory as it was at one moment, for as long as it is wanted, while the process goes on
 * writing. Many at once, of one another too, released in any order. docs/snappy.md has the whole.
 *
 * There are snapshots of the members, of all of them together: regions (<dbos/region.h>), and other
 * memory of the process, that were made such. The rest (stacks, thread-local variables, libdbos's
 * own) is the same in all snapshots as for the process. So a snapshot is for who wants to read the
 * members, on a thread that goes on with its own stack. What he writes to them is the snapshot's.
 *
 * A snapshot is a cut: writes that happened before dbos_snap_create() are in, of every thread that
 * is inside, and system calls that have returned; none that happen after it. What a system call is
 * writing at that moment may be in or not, each byte for itself, and does not change any more.
 *
 * Members belong to snapshots: entries of theirs are not the program's to change (<dbos/mm.h>), and
 * regions that are members stay as they are: -EBUSY. Where the host has a member's pages changes as
 * they are copied. System calls inside are told; but threads outside, children of fork(), and what
 * the kernel has kept a pointer to (io_uring, set_robust_list) find at their addresses what was
 * there at the first cut, and what they write there is in snapshots. Calls that began before their
 * memory became a member are not known.
 *
 * A futex in a member is one for each branch: who waits on the process's is woken there. Moving
 * waiters to one (FUTEX_REQUEUE and its like), and words of members behind pointers (futex_waitv),
 * are -EOPNOTSUPP.
 *
 * Functions return -EDEADLK in signal handlers of threads that are inside, in a world that the
 * caller has stopped, and in calls (<dbos/smp.h>). Unless noted they are thread-safe, and may be
 * called inside and outside, but not in handlers or with an entry locked; they may wait for others.
 */
#ifndef DBOS_SNAPSHOT_H
#define DBOS_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include <dbos/dbos.h>
#include <dbos/region.h>

struct dbos_snap;

/*
 * Whatever takes a snapshot but its release returns -ESTALE if that was dropped (see
 * dbos_snap_policy()), or is being released.
 */

/*
 * Makes the region a member. -EINVAL: it is not WRITABLE, or BARE; -EEXIST: it is one; -ENOSPC:
 * 1023 members; -ENOMEM; -EBUSY: the caller is on a snapshot, or tables are ready (see
 * dbos_snap_prepare()), or there are snapshots and it is not of whole 2 MiB. Snapshots that are
 * there have nothing at its addresses from then on: who goes there on one gets a fault.
 *
 * Pages that are no member's, but in the same 2 MiB as pages that are, are the process's in all
 * snapshots, as all others; but their entries, too, are not the program's to change (<dbos/mm.h>).
 */
int dbos_snap_add(struct dbos *dbos, struct dbos_region *region);

/*
 * The region is no member any more: its pages go back to its own memory, while all vCPUs stand
 * still. -EINVAL: it is none; -EBUSY: there are snapshots, or a system call uses it, or a write
 * that has begun beside one is not over.
 */
int dbos_snap_remove(struct dbos *dbos, struct dbos_region *region);

/*
 * The same for memory of the process that is private, writable and no region: of the heap, of
 * objects' data, or mapped by anybody; whole pages, all of them mapped. -EINVAL: flags, or a region
 * is there, or its entries have been changed; -EFAULT: nothing is mapped; else as dbos_snap_add().
 *
 * KEEP: the process's pages stay where they are, so that threads outside, the kernel, and the child
 * of a fork() find them there. They are copied at each dbos_snap_create(): for what is small.
 *
 * Calls made inside that would unmap, move, replace or protect pages of members are -EBUSY (munmap,
 * mremap, mmap with MAP_FIXED, mprotect unless to read and write, madvise with DONTNEED and REMOVE;
 * of regions that are members too); brk() does not go back; MADV_FREE does nothing. Made by threads
 * outside they are not noticed, and spoil what is there, of snapshots too.
 */
#define DBOS_SNAP_KEEP (1u << 0)

int dbos_snap_add_memory(struct dbos *dbos, void *memory, size_t length, unsigned int flags);

/*
 * What fork() would copy of a program whose malloc() is glibc's: .data and .bss of all objects but
 * libdbos.so (KEEP), and the heap (with @flags KEEP or 0), which has @room bytes more by then. From
 * then on malloc() takes all from the break, and gives nothing back. To be called before there are
 * other arenas (threads) or large allocations, which have mappings of their own: these, and what
 * the heap has beyond @room, are one memory for all snapshots. So are thread-local variables, and
 * stacks.
 *
 * A heap that is not KEEP must not be used by threads outside, nor by children of fork(). Locks
 * that other threads have at a cut, malloc()'s too, are held in the snapshot for ever. May be
 * called again when objects have been loaded. -EINVAL: flags, or no break; -EOPNOTSUPP: another
 * malloc(); else as dbos_snap_add_memory(): it may have added part of it.
 */
int dbos_snap_add_process(struct dbos *dbos, size_t room, unsigned int flags);

/* @memory and @length are those of one or more of these calls. As dbos_snap_remove(). */
int dbos_snap_remove_memory(struct dbos *dbos, void *memory, size_t length);

/*
 * A snapshot of all members: of the process, or of what the calling vCPU sees if it is on a
 * snapshot. -EINVAL: unknown flags, or no member; -ENOMEM: no frame for its tables.
 *
 * It stops all vCPUs for a time that grows with the members by 8 bytes for 2 MiB; by 8 for 4 KiB
 * in 2 MiB that are not all one member's, and by the engine "epoch". That one copies the whole page
 * table at once, as the paper does; then writers do not have to. The engine "instant" takes a copy
 * that is ready, dbos_snap_prepare(), and neither has to; where none is, and for snapshots of
 * snapshots, it is "epoch", and that is counted (unready). One flag at most.
 */
#define DBOS_SNAP_EPOCH	  (1u << 0)
#define DBOS_SNAP_INSTANT (1u << 1)

int dbos_snap_create(struct dbos *dbos, unsigned int flags, struct dbos_snap **snap);

/* A snapshot of a snapshot, as it is now. */
int dbos_snap_child(struct dbos_snap *parent, unsigned int flags, struct dbos_snap **snap);

/*
 * Sees to it that @count page tables are ready for DBOS_SNAP_INSTANT: makes those that are missing,
 * or gives some up. Each takes 8 bytes for 4 KiB of members, for as long as it is ready, and each
 * page that the process copies is noted in all. A cut uses one up; none is made by itself, so the
 * program has a thread for it, or some time. vCPUs run meanwhile, and snapshots can be made and
 * released. -EINVAL: more than DBOS_SNAP_READY_MAX, or there is no member; -ENOMEM: fewer are.
 */
#define DBOS_SNAP_READY_MAX 8

int dbos_snap_prepare(struct dbos *dbos, unsigned int count);

/*
 * Gives it up. -EBUSY: a vCPU is on it. Pages that others have copied since, and it alone has, are
 * freed; those that snapshots of it have stay until these are released. All of that is done when it
 * returns; meanwhile others may cut and release, as it does a bounded part of it at a time.
 */
int dbos_snap_release(struct dbos_snap *snap);

/*
 * Pages that were copied are anywhere in the members' memory or libdbos's. Where there are no
 * snapshots any more this copies them back, at most @max_bytes in all, so that the host has each at
 * its own address again; 2 MiB that are complete become one leaf of the page table, as at first.
 * *left (may be NULL): how many 2 MiB are not, be it that more is to be copied, or that a system
 * call is using a page of it, which then stays. The world is stopped for the copies of 2 MiB at a
 * time, 4 MiB at most, as two pages may have to change places. Tables that are ready stay so. What
 * is done by itself at a release is nothing. -EBUSY: there are snapshots; -EINVAL: no member was
 * ever added.
 */
int dbos_snap_settle(struct dbos *dbos, size_t max_bytes, size_t *left);

/*
 * The calling vCPU sees @snap from now on: its system calls as well, and its signal handlers. Only
 * inside, -EINVAL; -EBUSY: it is on one. A thread that is on a snapshot may not leave (-EBUSY) or
 * end, and should not fork.
 */
int dbos_snap_attach(struct dbos_snap *snap);
int dbos_snap_detach(struct dbos *dbos);

/* fn(arg) on @snap, by the calling thread; *result (may be NULL) is what it returns. */
int dbos_snap_run(struct dbos_snap *snap, void *(*fn)(void *arg), void *arg, void **result);

/* Copies from a snapshot, wherever the caller is. -EFAULT: not all of it is of members. */
int dbos_snap_read(struct dbos_snap *snap, const void *va, void *to, size_t length);

/*
 * Calls @found for the ranges of pages that may differ, by rising address, until it returns other
 * than 0, which is the result then. @found must not call functions of this header.
 */
int dbos_snap_diff(struct dbos_snap *a, struct dbos_snap *b,
		   int (*found)(void *arg, const void *va, size_t length), void *arg);

/*
 * What happens where a write or a cut finds no frame. ERROR, unless it is said otherwise: the write
 * is a fault of the program's, by its handlers or as a signal; the cut, -ENOMEM. DROP_OLDEST: the
 * oldest snapshot that no vCPU is on is given up, then the next one, until there is a frame. If
 * there are no more such snapshots, it is as with ERROR.
 *
 * A snapshot that was dropped is to be released as any other one, which can't fail; until then all
 * else that is asked of it is -ESTALE. Snapshots that were made of it stay, and what they have of
 * its memory with them, so that little may be won by it. The one that a cut is made of is not
 * dropped for that.
 *
 * Nothing is dropped for a write in a call (<dbos/smp.h>), in a stopped world, or while the writer
 * is in a function of this header, as @to of dbos_snap_read(): these fail. With DROP_OLDEST, and
 * where copying is PRIORITISED, what dbos_snap_diff() calls must not wait for threads that may
 * write to members, nor call malloc() if the heap is one.
 *
 * -EINVAL: another policy, or there is no member yet. From handlers too.
 */
enum dbos_snap_policy { DBOS_SNAP_ERROR, DBOS_SNAP_DROP_OLDEST };

int dbos_snap_policy(struct dbos *dbos, enum dbos_snap_policy policy);

/*
 * Whose is the copy when the process writes a page first that snapshots have. MOVE, unless it is
 * said otherwise: its own, and nobody on a snapshot notices. PRIORITISED: theirs, and the process's
 * page stays where it was. So threads outside, children of fork() and the kernel go on reading
 * there what the process has (to write there is theirs no more than before), and vCPUs of the
 * process need not flush, but once for 2 MiB; those on snapshots do. Such writes are done one at a
 * time, and look at each snapshot; of 2 MiB that are one leaf each of these gets a table.
 *
 * A page moves nevertheless while a system call made on a snapshot is using it, if a snapshot that
 * is exported has it, if no frame for a table is left, and if it is written in a function of this
 * header, in a call (<dbos/smp.h>) or in a stopped world. Those that have moved already come home
 * by dbos_snap_settle() only.
 *
 * -EINVAL: another way, or there is no member yet. From handlers too.
 */
enum dbos_snap_copying { DBOS_SNAP_MOVE, DBOS_SNAP_PRIORITISED };

int dbos_snap_copying(struct dbos *dbos, enum dbos_snap_copying copying);

#define DBOS_SNAP_BUCKETS 64

struct dbos_snap_stats {
	uint64_t created, released;
	uint64_t kept;			/* ones that are released, but for others made of them */
	uint64_t tables, pages;		/* copied by who wrote first, of 4 KiB each */
	uint64_t stayed;		/* of these pages: the process's stayed where it was */
	uint64_t splits;		/* of 2 MiB leaves */
	uint64_t reused;		/* faults that found nothing to copy any more */
	uint64_t in_flight;		/* pages copied at cuts, as the host was writing them */
	uint64_t waited;		/* pages that were free when a system call had ended */
	uint64_t entries;		/* of page tables, read or copied by cuts */
	uint64_t ready;			/* page tables that are, or are being made, for cuts */
	uint64_t unready;		/* cuts by "instant" that found none */
	uint64_t joined;		/* 2 MiB that became one leaf again */
	uint64_t mirrored;		/* entries changed in ready tables as in the process's */
	uint64_t dropped;		/* because no frame was left */
	uint64_t live;			/* snapshots that are neither released nor dropped */
	uint64_t epoch, oldest;		/* the present one; of the oldest of these, 0: none */
	uint64_t faults;		/* writes that had to be seen to, of system calls too */
	/* That vCPUs inside were waited for: one for a page; if it stayed, for each look at all. */
	uint64_t flushes;
	uint64_t lazy_flushes;		/* that nobody waited for: of tables, and of cuts */
	uint64_t held;			/* frames that only snapshots have, and not as their own */
	uint64_t waiting;		/* free frames that system calls use */
	uint64_t resting;		/* free ones of members' own memory */
	uint64_t limbo;			/* of the pool: free, when all vCPUs have flushed */
	/*
	 * Releases are done in steps, and others may cut or release between two. The most that one
	 * has looked at, of pages and entries: it is bounded.
	 */
	uint64_t steps, longest_step;
	/* How many took [2^i, 2^(i+1)) cycles of the time-stamp counter, waiting included. */
	uint64_t create_time[DBOS_SNAP_BUCKETS], release_time[DBOS_SNAP_BUCKETS];
	uint64_t step_time[DBOS_SNAP_BUCKETS];
};

/*
 * As of now, since the first dbos_snap_add(); all 0 before. From handlers too. It takes no lock, so
 * each number is right, but not all of one moment. `dbos stat PID` prints the same.
 */
int dbos_snap_stats(const struct dbos *dbos, struct dbos_snap_stats *stats);

#endif /* DBOS_SNAPSHOT_H */
