/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of 4 KiB with counted references, from the pool that page tables come from. All functions
 * are thread-safe, and for any place but signal handlers of threads that are inside. Before
 * dune_init() there are none.
 *
 * The pool is at its guest-physical addresses in the process's own page table too, so that inside
 * (void *)dune_page2pa(pg) is the page, as ever. Only hosts with guest-physical addresses of more
 * than 46 bits may have it where no virtual address can be: what is portable is dune_page2va().
 */
#ifndef DUNE_PAGE_H
#define DUNE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <dune/mmu.h>

struct page {
	uint64_t ref;	/* 0: not handed out */
};

/* With one reference, the caller's, and the bytes of its last user. NULL: there is none. */
struct page *dune_page_alloc(void);

/* Whatever references there are. It is not handed out again before no TLB can lead to it. */
void dune_page_free(struct page *pg);

/* One more; returns pg. */
struct page *dune_page_get(struct page *pg);

/* One less: the last frees it. */
void dune_page_put(struct page *pg);

/* @pa is one of the pool's. */
struct page *dune_pa2page(physaddr_t pa);
physaddr_t dune_page2pa(struct page *pg);

/* Where it is in the process's own addresses, inside and outside; not one of Dune's calls. */
void *dune_page2va(struct page *pg);

/* A page that dune_page_alloc() has handed out is there. */
bool dune_page_isfrompool(physaddr_t pa);

/* Prints how many are handed out. */
void dune_page_stats(void);

#endif /* DUNE_PAGE_H */
