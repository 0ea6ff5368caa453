/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buffer pool Tabby: see <dbos/pool.h>. Frames, and who may do what with them.
 *
 * A frame is free (locked, nobody's), or a page's: its name says which. One word says all else of
 * it (state, dirty, version), and is changed by compare-and-swap, so whoever succeeds knows all
 * that he has read of it to be so still: a victim that became dirty again is no victim, whoever
 * pins was not overtaken. The order of things:
 *
 *	load	name, translation (kind->enter) - then content - then the word: unlocked, or pinned,
 *		and of a new version. Who comes meanwhile finds the frame, and waits for its word
 *	evict	the word is locked (clean, unpinned) - the name goes - then the frame is free
 *	write	pinned shared; called clean before the device begins
 *
 * Names and words are in an array of their own, out of reach of any device: whatever is on disk, no
 * transfer makes a frame into a page's. A version is raised when content has changed, and at each
 * load; it is the frame's, and never goes back. So a word that is as it was tells that name and
 * content are.
 *
 * What finds a frame may be stale or nonsense (dbos_pool_hint). It is a number below pool.frames or
 * it is not; the frame's name, read between two looks at its word, says if it is right.
 *
 * docs/models/tabby.pml is this protocol, of which spin(1) searches all interleavings of a few
 * CPUs; and these files run on tests/model.
 */
#ifndef DBOS_TABBY_H
#define DBOS_TABBY_H

#include <errno.h>

#include <dbos/pool.h>

#include "cpu/spinlock.h"

#define TABBY_NONE  (~0ull)	/* no frame */
#define TABBY_SLOTS 64
#define TABBY_BATCH 64
#define TABBY_LEAST 8		/* frames */

/* At the start of each page's memory, and on disk. */
struct tabby_header {
	uint32_t frame;		/* that this is; on disk anything */
	uint32_t checksum;	/* of all that follows, when it was written; else anything */
	uint64_t name;
};

/*
 * What belongs to one vCPU or thread, unless there are more than slots: so the lock is hardly ever
 * waited for.
 */
struct tabby_slot {
	struct spinlock lock;
	uint64_t free;		/* the first of its free frames, + 1 */
	uint64_t free_count;
	uint64_t reads, writes, evictions, repairs, waits, errors;
	uint64_t ring_taken;
	bool ring_refused;
	struct tabby_ring *ring;
} __attribute__((aligned(64)));

struct tabby;

/* How pages are found. By any thread at any time; but for resize() none waits for a device. */
struct tabby_kind {
	/*
	 * The frame that is @page's, loaded or not, or TABBY_NONE; from now on the caller's hint.
	 */
	uint64_t (*look_up)(struct tabby *tabby, uint64_t page);
	/*
	 * *frame is free and the caller's. 1: it is @page's from here on, and locked by the caller.
	 * 0: another one is already, which *frame is then, and this one was given back; or -ENOMEM.
	 */
	int (*enter)(struct tabby *tabby, uint64_t page, uint64_t *frame);
	/* A frame that the caller has locked is nobody's from here on: a victim. */
	void (*remove)(struct tabby *tabby, uint64_t frame);
	/* A free frame, or TABBY_NONE; victims become free. */
	uint64_t (*take)(struct tabby *tabby);
	void (*give)(struct tabby *tabby, const uint64_t *victims, size_t count);
	/* One victim becomes a free frame of the caller's. */
	uint64_t (*exchange)(struct tabby *tabby, uint64_t victim);
	/*
	 * Where the clock's hand goes: so many places, and the frame that is at each, or
	 * TABBY_NONE.
	 */
	uint64_t (*places)(const struct tabby *tabby);
	uint64_t (*at)(const struct tabby *tabby, uint64_t place);
	/* One at a time; see dbos_pool_resize(). After an error all is as before. */
	int (*resize)(struct tabby *tabby, uint64_t frames);
};

struct tabby {
	struct dbos_pool pool;		/* what inline functions know; the first member */
	const struct tabby_kind *kind;
	struct dbos_pool_device device;
	bool checksums, rings;
	unsigned int batch;
	int *files;
	unsigned int file_count;

	uint64_t limit, limit_max;	/* frames in use are below; MADVISE: so many */
	uint64_t hand;			/* of the clock */
	uint64_t page_count;		/* of the store: pages below exist */
	/*
	 * Write-backs under way, that began while @turn was even or odd: a flush waits for those
	 * that began before it, and whose pages so were clean when it came to them.
	 */
	uint64_t turn, writing[2];
	uint64_t write_errors;
	uint64_t alone;			/* a lock: who flushes, or changes the number of frames */
	struct spinlock store_lock;
	uint64_t free_page;		/* the first of the store's; 0: none */

	/* MMU */
	const struct table *table;
	struct cpus *cpus;
	uint64_t addresses;		/* guest-virtual, of page 0 */
	uint64_t gpa;			/* of frame 0 */
	void *zeroes;			/* 2 MiB for pages that were in no frame yet */
	uint64_t zeroes_gpa;

	/* MMU and HASH */
	uint32_t *next;			/* in a list of free frames or a bucket: frame + 1 */
	struct dbos_region *region;	/* MMU: of the addresses */

	/* HASH */
	struct tabby_bucket *bucket;
	uint64_t bucket_mask;

	/* MADVISE */
	uint64_t *resident;		/* a hash set of the pages that are in memory */
	uint64_t resident_mask, resident_count;

	struct tabby_slot slot[TABBY_SLOTS];
};

extern const struct tabby_kind tabby_mmu, tabby_hash, tabby_madvise;

static inline struct tabby *tabby_of(const struct dbos_pool *pool)
{
	return (struct tabby *)pool;
}

static inline void *tabby_memory(const struct tabby *tabby, uint64_t frame)
{
	return tabby->pool.memory + frame * DBOS_PAGE_SIZE;
}

/* slot.c: the caller's; and its counters. */
struct tabby_slot *tabby_slot(struct tabby *tabby);

static inline void tabby_count(uint64_t *counter, uint64_t by)
{
	machine_add(counter, by);
}

/* word.c: each of these is one compare-and-swap, or nothing if the word is not @old any more. */
uint64_t tabby_word(const struct tabby *tabby, uint64_t frame);
uint64_t tabby_name(const struct tabby *tabby, uint64_t frame);
bool tabby_swap(struct tabby *tabby, uint64_t frame, uint64_t old, uint64_t word);
/* By who has it locked: what it is now, of a version that it never had. */
void tabby_publish(struct tabby *tabby, uint64_t frame, uint64_t state);
void tabby_unpin_shared(struct tabby *tabby, uint64_t frame, uint64_t dirty);

/* free.c: for kinds whose frames are all there, and whose pages can be in any of them. */
uint64_t tabby_take(struct tabby *tabby);
void tabby_give(struct tabby *tabby, const uint64_t *frames, size_t count);
uint64_t tabby_exchange(struct tabby *tabby, uint64_t victim);
uint64_t tabby_places(const struct tabby *tabby);
uint64_t tabby_at(const struct tabby *tabby, uint64_t place);
/* Free frames from @from on leave the lists, and are marked so; their number. */
#define TABBY_DROPPED (~0u)	/* as the next one in a list */
uint64_t tabby_drop_free(struct tabby *tabby, uint64_t from);

/* resize.c: for the same kinds. */
int tabby_resize(struct tabby *tabby, uint64_t frames);

/* evict.c: a free frame, which is the caller's, or -errno. */
int64_t tabby_make_room(struct tabby *tabby);
/* Takes an unpinned, clean page out of its frame: locked, nobody's. False: it is not so. */
bool tabby_evict(struct tabby *tabby, uint64_t frame);
/* Writes back what is dirty of @frames, as far as nobody has it locked; returns the first error. */
int tabby_write_back(struct tabby *tabby, const uint64_t *frames, size_t count);

/* transfer.c: of frames that the caller has pinned or locked, named; results in the transfers. */
void tabby_read(struct tabby *tabby, struct dbos_pool_transfer *transfers, size_t count);
void tabby_write(struct tabby *tabby, struct dbos_pool_transfer *transfers, size_t count);

/* get.c */
enum tabby_want { TABBY_READ, TABBY_SHARE, TABBY_LOCK, TABBY_NEW };

/* The page's frame, as wanted; NEW: locked, and not read if it is in no frame. Or -errno. */
int64_t tabby_get(struct tabby *tabby, uint64_t page, enum tabby_want want, uint64_t hint);

/* memory.c: what was in these frames is not needed any more, nor their memory. */
void tabby_forget(struct tabby *tabby, uint64_t from, uint64_t to);

/* checksum.c: CRC-32C of what follows the header's checksum. */
uint32_t tabby_checksum(const void *memory);

/* alone.c: a lock that may be held for as long as the device takes. */
void tabby_begin_alone(struct tabby *tabby);
void tabby_end_alone(struct tabby *tabby);

#endif /* DBOS_TABBY_H */
