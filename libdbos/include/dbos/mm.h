/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's own page table. At first every address translates to itself: guest-virtual to the
 * guest-physical window onto the same host-virtual address. From there each entry is yours.
 *
 * Entries are changed by plain 64-bit stores (or compare-and-swap where threads race); the TLB
 * is flushed by the caller and only on the calling vCPU. None of this leaves the guest.
 */
#ifndef DBOS_MM_H
#define DBOS_MM_H

#include <stdint.h>

#include <dbos/dbos.h>

typedef uint64_t dbos_pte_t;

#define DBOS_PAGE_SIZE 4096ul

#define DBOS_PTE_P	(1ull << 0)
#define DBOS_PTE_W	(1ull << 1)
#define DBOS_PTE_U	(1ull << 2)
#define DBOS_PTE_A	(1ull << 5)
#define DBOS_PTE_D	(1ull << 6)
#define DBOS_PTE_PS	(1ull << 7)	/* a 2 MiB or 1 GiB leaf */
#define DBOS_PTE_NX	(1ull << 63)
#define DBOS_PTE_ADDR	0x000ffffffffff000ull

/*
 * The 4 KiB entry of @va; larger leaves on the way are split, which changes no translation.
 * -EFAULT: @va is in no window, so the table can't map it. -ENOMEM.
 */
int dbos_pte(struct dbos *dbos, const void *va, volatile dbos_pte_t **pte);

/* The guest-physical address behind the process's own @va; 0 if it is in no window. */
uint64_t dbos_gpa(const struct dbos *dbos, const void *va);

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
