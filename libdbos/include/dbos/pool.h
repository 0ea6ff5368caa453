/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tabby: a buffer pool. Pages of 4 KiB are in files, some of them in frames of memory as well, and
 * whoever uses a page finds its frame by one of three kinds of translation:
 *
 *	MMU	the storage's page table is the processor's own. Each page has an address; the
 *		entry there leads to its frame. A page that goes leaves its entry, and everybody's
 *		TLB, as it is: no vCPU is interrupted, ever. Only inside (<dbos/dbos.h>)
 *	HASH	a table of frames by page number, with a lock for each bucket
 *	MADVISE	an address for each page in the process's memory, which the host kernel gives and
 *		takes: MADV_DONTNEED, with all the shootdowns that this needs
 *
 * All of them have the same files and the same functions. A page is used
 *
 *	read	without any store: dbos_pool_read(), then the content, which may change meanwhile.
 *		So nothing in it may be believed (no pointer followed, no length used unchecked)
 *		before dbos_pool_valid() has said that it did not
 *	shared	pinned: it stays, and does not change, until it is unpinned; at most 253 at a time
 *	exclusively pinned, to change it
 *
 * and its content is where the pin or the read says, for as long as it is held. A pool needs more
 * frames than there are pins at any time.
 *
 * No page is a member of snapshots (<dbos/snapshot.h>): on one, a pool is what it is now. Functions
 * may be called from any thread that may use the pool, inside or outside for HASH and MADVISE, but
 * not from handlers or calls of vCPUs, and not under a lock of libdbos's. They return 0 or -errno.
 */
#ifndef DBOS_POOL_H
#define DBOS_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dbos/mm.h>

struct dbos_pool;

/* The rest of each page on disk is the pool's: number and checksum. */
#define DBOS_POOL_HEADER  16
#define DBOS_POOL_CONTENT (DBOS_PAGE_SIZE - DBOS_POOL_HEADER)

enum dbos_pool_kind { DBOS_POOL_MMU, DBOS_POOL_HASH, DBOS_POOL_MADVISE };

/*
 * One transfer between a frame and a device. The pool fills in all but @result; a device puts there
 * how many bytes it has transferred, or -errno.
 */
struct dbos_pool_transfer {
	uint64_t page;
	void *memory;		/* DBOS_PAGE_SIZE bytes, aligned to that */
	int result;
	bool write;
};

/*
 * A device of the program's own, in place of files. @transfer does all of @count and returns when
 * they have ended; several threads are in it at once. @sync returns when all that was written
 * before is on disk.
 */
struct dbos_pool_device {
	void (*transfer)(void *arg, struct dbos_pool_transfer *transfers, size_t count);
	int (*sync)(void *arg);
	void *arg;
};

#define DBOS_POOL_FORMAT       (1u << 0)	/* begin an empty store, whatever is there */
#define DBOS_POOL_NO_CHECKSUMS (1u << 1)	/* neither written nor looked at */
#define DBOS_POOL_NO_RING      (1u << 2)	/* pread() and pwrite() in place of io_uring */

struct dbos_pool_config {
	enum dbos_pool_kind kind;
	struct dbos *dbos;		/* MMU: the instance; else unused */
	uint64_t pages;			/* of the store, at most; its addresses are taken at once */
	uint64_t frames;		/* of memory; at least 8 */
	uint64_t frames_max;		/* dbos_pool_resize() goes up to here; 0: @frames */
	unsigned int batch;		/* pages that are evicted together; 0: 64 */
	unsigned int flags;
	/*
	 * Files or block devices, open for reading and writing, with O_DIRECT or not; they stay the
	 * caller's. Page p is page p / file_count of file p % file_count. Unused with @device.
	 */
	const int *files;
	unsigned int file_count;
	const struct dbos_pool_device *device;
};

/*
 * -EINVAL: no such kind or flag, too few frames, MMU without an instance, outside or with more than
 * 2^34 pages; -ENOMEM, -ENOSPC: of addresses or memory; an error of the device; -EILSEQ: no store
 * is there, or a damaged one; -E2BIG: it has more pages than @pages.
 */
int dbos_pool_open(const struct dbos_pool_config *config, struct dbos_pool **pool);

/*
 * Writes what is dirty, and closes. After an error nothing is lost and the pool is still open;
 * dbos_pool_abandon() closes without writing. Nobody may use it meanwhile.
 */
int dbos_pool_close(struct dbos_pool *pool);
void dbos_pool_abandon(struct dbos_pool *pool);

/* Who has a page pinned. */
struct dbos_pin {
	uint64_t frame;
	uint64_t page;
	void *content;		/* DBOS_POOL_CONTENT bytes */
};

/*
 * Pins, exclusively or shared, and waits for whoever has it pinned otherwise.
 *
 * -ERANGE: the store has no such page; -EILSEQ: what is on disk is not that page, or damaged;
 * -ENOBUFS: all frames are pinned, and have been for long; an error of the device, at reading, or
 * at writing back what would have made room: nothing has changed then, and nothing is lost.
 */
int dbos_pool_pin(struct dbos_pool *pool, uint64_t page, struct dbos_pin *pin);
int dbos_pool_pin_shared(struct dbos_pool *pool, uint64_t page, struct dbos_pin *pin);

/*
 * @dirty: it was changed. Then, and when it is freed or comes to another frame, and at no other
 * time, reads that began before are no longer valid.
 */
void dbos_pool_unpin(struct dbos_pool *pool, struct dbos_pin *pin, bool dirty);
void dbos_pool_unpin_shared(struct dbos_pool *pool, struct dbos_pin *pin);

/*
 * A new page, pinned exclusively; what is in it is not defined. The first one of an empty store is
 * page DBOS_POOL_FIRST, and each that was never freed is the next. -ENOSPC: the store has all of
 * its pages; or as above. dbos_pool_free() takes a page that is pinned exclusively, and unpins it.
 */
#define DBOS_POOL_FIRST 1

int dbos_pool_new(struct dbos_pool *pool, struct dbos_pin *pin);
void dbos_pool_free(struct dbos_pool *pool, struct dbos_pin *pin);

/*
 * Reads those of @pages that are in no frame, together; what fails is read again by who needs it.
 */
int dbos_pool_prefetch(struct dbos_pool *pool, const uint64_t *pages, size_t count);

/*
 * Writes all that is dirty now, but for what is pinned exclusively for longer than this waits, and
 * has the device put it on disk. -EBUSY: something was pinned so; or the device's first error: what
 * could not be written stays dirty.
 */
int dbos_pool_flush(struct dbos_pool *pool);

/*
 * To @frames frames. Taking frames waits until their pages are unpinned, and writes back. -EINVAL:
 * below 8, or more than frames_max; errors as for a pin, after which some may be gone.
 */
int dbos_pool_resize(struct dbos_pool *pool, uint64_t frames);

struct dbos_pool_stats {
	uint64_t pages;			/* that the store has */
	uint64_t frames, free_frames;
	uint64_t reads, writes;		/* pages, of the device */
	uint64_t evictions;
	uint64_t repairs;		/* stale translations that were flushed, here only */
	uint64_t waits;			/* for a page that another loads or has pinned */
	uint64_t errors;		/* transfers that failed */
};

/* Sums of counters that go on meanwhile. */
void dbos_pool_stats(const struct dbos_pool *pool, struct dbos_pool_stats *stats);

/*
 * What follows is what the inline functions below need to know.
 *
 * The word of a frame: its state in bits 7:0 (0: unlocked, 1 to 253: shared pins, 254: marked by
 * the clock, 255: locked), bit 8: dirty, and above it a version, which is raised whenever the
 * frame's content has changed, and never goes back.
 */
struct dbos_pool_frame {
	uint64_t word;
	uint64_t name;			/* page number + 1; 0: nobody's */
};

#define DBOS_POOL_STATE	  0xffull
#define DBOS_POOL_MARKED  0xfeull
#define DBOS_POOL_LOCKED  0xffull
#define DBOS_POOL_DIRTY	  (1ull << 8)
#define DBOS_POOL_VERSION (1ull << 9)

struct dbos_pool {
	struct dbos_pool_frame *frame;
	char *memory;			/* of frame 0; the others follow */
	uint64_t frames;		/* that there can be */
	uint64_t pages;			/* below this one there can be pages */
	const char *addresses;		/* MMU: of page 0; the others follow */
	uint64_t (*find)(const struct dbos_pool *pool, uint64_t page);	/* otherwise; NULL: f = p */
};

/* A read without a pin. */
struct dbos_pool_read {
	const void *content;
	uint64_t frame, page;
	uint64_t word;			/* the frame's, when it began */
};

/*
 * The frame that @page may be in. The first word of each frame's memory is its number; so a load
 * through a page's address says where the TLB leads to. It may be a stale translation, or a device
 * may be storing there: so this is a hint, and whose the frame is says only the frame's name.
 */
static inline uint64_t dbos_pool_hint(const struct dbos_pool *pool, uint64_t page)
{
	if (pool->addresses)
		return *(const volatile uint32_t *)(pool->addresses + page * DBOS_PAGE_SIZE);
	return pool->find ? pool->find(pool, page) : page;
}

/*
 * The long way: repairs the translation, loads the page, waits for who has it locked. Returns the
 * frame, in which the page was to be read a moment ago, or -errno as for a pin.
 */
int64_t dbos_pool_miss(struct dbos_pool *pool, uint64_t page);

/* From here on *read->content may be read; errors as for a pin. */
static inline int dbos_pool_read(struct dbos_pool *pool, uint64_t page,
				 struct dbos_pool_read *read)
{
	int64_t frame = page < pool->pages ? (int64_t)dbos_pool_hint(pool, page) : INT64_MAX;

	for (;;) {
		if ((uint64_t)frame < pool->frames) {
			const struct dbos_pool_frame *f = &pool->frame[frame];
			uint64_t word = __atomic_load_n(&f->word, __ATOMIC_ACQUIRE);

			if ((word & DBOS_POOL_STATE) < DBOS_POOL_MARKED &&
			    __atomic_load_n(&f->name, __ATOMIC_ACQUIRE) == page + 1) {
				read->content = pool->memory + frame * DBOS_PAGE_SIZE +
						DBOS_POOL_HEADER;
				read->frame = frame;
				read->page = page;
				read->word = word;
				return 0;
			}
		}
		frame = dbos_pool_miss(pool, page);
		if (frame < 0) {
			*read = (struct dbos_pool_read){ .page = page };
			return (int)frame;
		}
	}
}

/*
 * What was read since then is what the page had, all at one moment. May be asked again and again.
 */
static inline bool dbos_pool_valid(const struct dbos_pool *pool, const struct dbos_pool_read *read)
{
	uint64_t word;

	/* The loads of the content come before this one. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	word = __atomic_load_n(&pool->frame[read->frame].word, __ATOMIC_RELAXED);
	return word / DBOS_POOL_VERSION == read->word / DBOS_POOL_VERSION &&
	       (word & DBOS_POOL_STATE) != DBOS_POOL_LOCKED;
}

/* Pins exclusively what was read, if it is still so and nobody has it pinned; does not wait. */
static inline bool dbos_pool_upgrade(struct dbos_pool *pool, const struct dbos_pool_read *read,
				     struct dbos_pin *pin)
{
	uint64_t *word = &pool->frame[read->frame].word;
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);
	uint64_t state = old & DBOS_POOL_STATE;

	if (old / DBOS_POOL_VERSION != read->word / DBOS_POOL_VERSION ||
	    (state != 0 && state != DBOS_POOL_MARKED) ||
	    !__atomic_compare_exchange_n(word, &old, old | DBOS_POOL_LOCKED, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	*pin = (struct dbos_pin){
		.frame = read->frame, .page = read->page, .content = (void *)read->content,
	};
	return true;
}

#endif /* DBOS_POOL_H */
