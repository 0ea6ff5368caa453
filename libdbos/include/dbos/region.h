/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions: ranges of addresses whose translations the program owns. libdbos changes the entries
 * there only when it is asked to here, and knows the region by any of its addresses.
 *
 * A region is made of addresses, not of pages. At first each of them leads to the process's memory
 * at the same address, by leaves as large as fit; entries are taken by dbos_pte_lock() and its like
 * (<dbos/mm.h>). An entry that leads to dbos_gpa(p) shows what the process has mapped at p at the
 * moment of the access. So if the host's mapping at p is unmapped, replaced (MAP_FIXED), moved
 * (mremap) or protected, by whatever thread, the entry stays and shows nothing, the new memory, or
 * what is left of the rights: a fault with DBOS_FEC_HOST, at p. An access needs the rights of both.
 *
 * Functions that change regions take a lock, and may wait like a SYNC flush: from threads inside
 * and outside, but not in handlers, with an entry locked, or with the world stopped. -EDEADLK in a
 * signal handler of a thread that is inside. A function that fails has changed nothing, but that
 * leaves may have been split. -EBUSY where one is changed that is a member (<dbos/snapshot.h>).
 */
#ifndef DBOS_REGION_H
#define DBOS_REGION_H

#include <dbos/mm.h>

struct dbos_region;

#define DBOS_REGION_WRITABLE (1u << 0)	/* entries have W */
#define DBOS_REGION_EXEC     (1u << 1)	/* entries have no NX */
#define DBOS_REGION_HUGE     (1u << 2)	/* of whole 2 MiB, with huge pages if the host has any */
#define DBOS_REGION_GIGANTIC (1u << 3)	/* of whole 1 GiB */
#define DBOS_REGION_SHARED   (1u << 4)	/* create: memory that a fork's child shares */
#define DBOS_REGION_BARE     (1u << 5)	/* create: addresses only, no memory, no entry present */

/*
 * A region of @size bytes that can grow to @reserve, at @where or, if that is NULL, anywhere. Its
 * memory is the process's own, zero, and readable and writable for the host. A BARE one is a place
 * for entries that lead to other memory: the host finds nothing at its addresses, and system calls
 * inside what its entries lead to; it begins and ends at multiples of 1 GiB.
 *
 * -EINVAL: flags that are unknown or exclude each other, sizes or an address that are not whole
 * pages of the kind (BARE: @where, of 1 GiB), no gigantic leaves on this CPU; -EEXIST: @where
 * something is; -ENOMEM: no memory, or no frame for a table; -ENOSPC: no guest-physical space left
 * to show it in, or 1024 regions.
 */
int dbos_region_create(struct dbos *dbos, void *where, size_t size, size_t reserve,
		       unsigned int flags, struct dbos_region **region);

/*
 * The same of memory that is there, all of it mapped, and stays the program's. -EFAULT: nothing is
 * mapped; -EEXIST: a region is.
 */
int dbos_region_adopt(struct dbos *dbos, void *memory, size_t size, unsigned int flags,
		      struct dbos_region **region);

/*
 * To @size bytes, in place. An adopted region takes in what is mapped behind it by then. -ENOSPC:
 * more than it reserves; -EINVAL: not larger, or not whole pages; otherwise as above.
 */
int dbos_region_grow(struct dbos_region *region, size_t size);

/*
 * Gives all present entries the rights in @flags, of which no others may differ, and flushes SYNC.
 * -EINVAL; -ENOMEM: a leaf that goes beyond the region can't be split, and part of it is done.
 */
int dbos_region_protect(struct dbos_region *region, unsigned int flags);

/*
 * Gives the addresses back: entries are again what they were before there was a region, tables that
 * are not needed any more are freed, and the memory goes unless it was adopted. What its entries
 * led to is the caller's to retire: a SYNC flush has been made when this returns. Nobody may use
 * the region meanwhile.
 */
int dbos_region_destroy(struct dbos_region *region);

/* The region that @va is in, reserved addresses included, or NULL. From anywhere, no lock. */
struct dbos_region *dbos_region_find(const struct dbos *dbos, const void *va);

struct dbos_region_info {
	void *base;
	size_t size, reserve;
	unsigned int flags;
	bool adopted;
};

/* May be overtaken by who changes the region. */
void dbos_region_info(const struct dbos_region *region, struct dbos_region_info *info);

#endif /* DBOS_REGION_H */
