/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's own page table. At first every address translates to itself: guest-virtual to the
 * guest-physical window onto the same host-virtual address. From there each entry is yours.
 *
 * Entries are changed by plain 64-bit stores (or compare-and-swap where threads race), and flushed
 * by the caller: here (dbos_invlpg) or everywhere (dbos_flush). Only the interrupt to a vCPU that
 * is to flush at once leaves the guest.
 */
#ifndef DBOS_MM_H
#define DBOS_MM_H

#include <stddef.h>
#include <stdint.h>

#include <dbos/dbos.h>

typedef uint64_t dbos_pte_t;

#define DBOS_PAGE_SIZE	   (1ul << 12)
#define DBOS_HUGE_SIZE	   (1ul << 21)
#define DBOS_GIGANTIC_SIZE (1ul << 30)	/* where the CPU has it: dbos_caps() */

#define DBOS_PTE_P	(1ull << 0)
#define DBOS_PTE_W	(1ull << 1)
#define DBOS_PTE_U	(1ull << 2)
#define DBOS_PTE_A	(1ull << 5)
#define DBOS_PTE_D	(1ull << 6)
#define DBOS_PTE_PS	(1ull << 7)	/* a 2 MiB or 1 GiB leaf */
#define DBOS_PTE_NX	(1ull << 63)
#define DBOS_PTE_ADDR	0x000ffffffffff000ull

/*
 * Entries of the table are made for whatever the process has mapped, and for regions
 * (<dbos/region.h>), -EFAULT: @va is neither. -ENOMEM: no frame for a table; nothing has changed,
 * and the call may succeed when frames are free again. -ENOSPC: the process's mapping is far from
 * all others, and no guest-physical space is left to show it in. -EDEADLK in a signal handler of a
 * thread that is inside. Thread-safe, inside, in handlers and outside; each may wait for whoever
 * has an entry on its way locked, and flushes meanwhile.
 */

/*
 * The 4 KiB entry of @va; larger leaves on the way are split, which changes no translation. For
 * programs in which no others collapse it meanwhile; else lock it.
 */
int dbos_pte(struct dbos *dbos, const void *va, volatile dbos_pte_t **pte);

/*
 * Locks the entry of @va for leaves of @size bytes; larger leaves on the way are split. -EEXIST:
 * there are smaller ones; -EINVAL: no leaf has that size. Until it is unlocked the processor goes
 * on translating by it, others wait, its table stays, and interrupts are off: no system call, and
 * no waiting but for a flush. Unlocking puts @value there and returns what was there until then.
 * If both map the same address, A and D that the processor has set meanwhile stay set. Flushing is
 * the caller's, before or after.
 */
struct dbos_entry {
	volatile dbos_pte_t *pte;
	dbos_pte_t value;	/* when it was locked */
	uint64_t interrupts;
};

int dbos_pte_lock(struct dbos *dbos, const void *va, size_t size, struct dbos_entry *entry);
dbos_pte_t dbos_pte_unlock(const struct dbos_entry *entry, dbos_pte_t value);

/*
 * Splits leaves until the one of @va is of @size bytes or less. No translation changes, none needs
 * to be flushed, and vCPUs may use and edit the memory meanwhile. -EINVAL: no leaf has that size.
 */
int dbos_split(struct dbos *dbos, const void *va, size_t size);

/*
 * Makes one leaf of @size bytes, at @va rounded down, of the 512 smaller ones that are there, and
 * frees their table. It counts as accessed and dirty. Flushes everything, SYNC or LAZY. -EINVAL:
 * they are not contiguous, not aligned, not of equal rights or not of one size, or there is one
 * leaf already; -EBUSY: one of them is locked, or code of libdbos's is among them that must stay
 * where it is while vCPUs enter.
 */
enum dbos_flush { DBOS_FLUSH_LOCAL, DBOS_FLUSH_SYNC, DBOS_FLUSH_LAZY };

int dbos_collapse(struct dbos *dbos, const void *va, size_t size, enum dbos_flush how);

/*
 * The guest-physical address that shows the process's own @va: whatever the process has mapped
 * there at the moment of an access. 0: none does, or not yet; dbos_pte() and regions see to it.
 */
uint64_t dbos_gpa(const struct dbos *dbos, const void *va);

/*
 * Flushes @pages pages from @va on (DBOS_ALL_PAGES: everything), after their entries were changed.
 * LOCAL: on the calling vCPU, and outside nowhere. SYNC: on all vCPUs before it returns; those in
 * the host, which are not waited for, before they run on. LAZY: here at once, elsewhere at the
 * latest when that vCPU waits for others or comes back from the host. *generation (may be NULL):
 * for dbos_frame_retire(), 0 if LOCAL.
 *
 * SYNC waits for other vCPUs (see <dbos/smp.h>): a pointer that dbos_pte() has returned is void
 * afterwards if others collapse tables. -EDEADLK in a signal handler of a thread that is inside.
 */
#define DBOS_ALL_PAGES (~0ul)

int dbos_flush(struct dbos *dbos, const void *va, size_t pages, enum dbos_flush how,
	       uint64_t *generation);

/* Of the calling vCPU's number, since dbos_init(); -EINVAL outside. */
struct dbos_flush_stats {
	uint64_t pages;		/* flushed one by one */
	uint64_t all;		/* flushes of everything */
	uint64_t interrupts;	/* sent to other vCPUs, to have them flush */
};

int dbos_flush_stats(struct dbos *dbos, struct dbos_flush_stats *stats);

/*
 * Frames of the pool from which page tables come, 4 KiB each, by guest-physical address: 0 if there
 * is none. They are as their last user left them. One that was in the page table is retired, with
 * the generation of the flush behind its removal (SYNC or LAZY), and not handed out again before no
 * vCPU can reach it; one that never was may be freed. What was a table of the program's own may be
 * retired once every vCPU that had loaded a CR3 above it has loaded another. Allocating may wait
 * like a SYNC flush; frames of libdbos's own tables become free only as vCPUs come back from the
 * host. From anywhere but signal handlers of threads that are inside, which get 0.
 */
uint64_t dbos_frame_alloc(struct dbos *dbos);
void dbos_frame_free(struct dbos *dbos, uint64_t gpa);
void dbos_frame_retire(struct dbos *dbos, uint64_t gpa, uint64_t generation);

/* Where the frame is in the process's own addresses. */
void *dbos_frame_memory(const struct dbos *dbos, uint64_t gpa);

/* Only inside. */
static inline void dbos_invlpg(const void *va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline uint64_t dbos_read_cr3(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	return cr3;
}

/* Also drops every translation of this vCPU: nothing is mapped global. */
static inline void dbos_write_cr3(uint64_t cr3)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

#endif /* DBOS_MM_H */
