/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walks and changes of a page table that several vCPUs use and edit at once.
 *
 * An entry has a lock: a bit that the processor ignores, so that translations go on meanwhile.
 * Whoever changes an entry holds it. What is above the entries is changed by compare-and-swap: a
 * leaf becomes a table of smaller leaves (split), and a table with all of its entries locked
 * becomes a leaf (collapse); such a table's entries stay locked, so whoever comes late walks anew.
 *
 * A walk has interrupts off and waits for nothing, so tables that it is in are not used again (see
 * tlb.h). A locked entry keeps its table from collapsing.
 */
#ifndef DBOS_TABLE_H
#define DBOS_TABLE_H

#include <stdint.h>

#include <dbos/mm.h>

#include "mm/frames.h"

/* Ignored by the processor in entries of every level (SDM 3A 4.5). */
#define DBOS_PTE_LOCK (1ull << 11)

#define TABLE_LEVELS  4
#define TABLE_ENTRIES 512

struct table {
	struct frames *frames;
	struct cpus *cpus;
	uint64_t root;		/* guest-physical */
	const uint64_t *copies;	/* how many others have tables of this one; NULL: none ever */
};

/* A locked entry. Interrupts are off until it is unlocked. */
struct table_entry {
	uint64_t *word;
	uint64_t value;		/* when it was locked; A and D may have been set since */
	uint64_t irqs;
};

static inline uint64_t level_size(unsigned int level)
{
	return 1ull << (12 + 9 * (level - 1));
}

/* -ENOMEM. */
int table_create(struct table *table, struct frames *frames, struct cpus *cpus);

/*
 * The leaf that maps @va, or a value without DBOS_PTE_P, and its level. It has W if all entries on
 * the way have.
 */
uint64_t table_lookup(const struct table *table, uint64_t va, unsigned int *level);

/*
 * Locks the entry for @va at @level (1: 4 KiB, 2: 2 MiB, 3: 1 GiB), where tables are made and
 * leaves split on the way, which changes no translation. Waits for whoever has it locked, and
 * flushes meanwhile: a quiescent point. -ENOMEM; -EEXIST: there is a table of smaller leaves.
 */
int table_lock(const struct table *table, uint64_t va, unsigned int level,
	       struct table_entry *entry);

/*
 * Puts @value there, without lock, and returns what was there until that moment, with the A and D
 * flags that the processor had set in it; where @value maps the same address it inherits them. To
 * flush is the caller's (tlb_flush), before or after unlocking, as long as it is before the frame
 * is retired.
 */
uint64_t table_unlock(struct table_entry *entry, uint64_t value);

/*
 * Makes a leaf of the 512 smaller ones below the entry for @va at @level (2 or 3), if they are
 * contiguous, aligned and of equal rights, or nothing where all are nothing; flushes and retires
 * their table. -EINVAL: they are not so, or there is no table; -EBUSY: one of them is locked, or
 * the table is on the way of vCPUs into the guest (cpus->flush_code), or other page tables share
 * this one's.
 */
int table_collapse(const struct table *table, uint64_t va, unsigned int level,
		   enum tlb_wait wait);

#endif /* DBOS_TABLE_H */
