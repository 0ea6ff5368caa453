/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor's page table, control registers and vectors, by their classic names. */
#ifndef DUNE_MMU_H
#define DUNE_MMU_H

#include <stdint.h>

#include <dbos/mm.h>

typedef uint64_t ptent_t;
typedef uint64_t physaddr_t;

#define PGSHIFT	       12
#define PGSIZE	       (1ul << PGSHIFT)
#define PGMASK	       (PGSIZE - 1)
#define PGOFF(la)      ((uintptr_t)(la) & PGMASK)
#define PGADDR(la)     ((uintptr_t)(la) & ~PGMASK)
#define PPN(la)	       ((uintptr_t)(la) >> PGSHIFT)
#define BIG_PGSHIFT    21
#define BIG_PGSIZE     (1ul << BIG_PGSHIFT)
#define BIG_1GB_PGSIZE (1ul << 30)

/* Index of an address in the table of level @n: 0 is the lowest. */
#define NPTLVLS	   3
#define NPTENTRIES 512
#define PDX(n, la) (((uintptr_t)(la) >> (PGSHIFT + 9 * (n))) & (NPTENTRIES - 1))

#define PTE_P	0x001ul
#define PTE_W	0x002ul
#define PTE_U	0x004ul
#define PTE_PWT 0x008ul
#define PTE_PCD 0x010ul
#define PTE_A	0x020ul
#define PTE_D	0x040ul
#define PTE_PS	0x080ul
#define PTE_G	0x100ul
#define PTE_NX	(1ul << 63)
/* Ignored by the processor. Bits 11 and 55 are libdbos's (SDM 3A 4.5: 11:9 and 58:52 are free). */
#define PTE_COW	 0x200ul
#define PTE_USR1 (1ul << 52)
#define PTE_USR2 (1ul << 53)
#define PTE_USR3 (1ul << 54)

#define PTE_ADDR(pte)  ((physaddr_t)((pte) & DBOS_PTE_ADDR))
#define PTE_FLAGS(pte) ((ptent_t)((pte) & ~DBOS_PTE_ADDR))

/* Error codes of page faults. */
#define FEC_P	0x1
#define FEC_W	0x2
#define FEC_U	0x4
#define FEC_RSV 0x8
#define FEC_I	0x10

/* Vectors of exceptions. */
#define T_DIVIDE 0
#define T_DEBUG	 1
#define T_NMI	 2
#define T_BRKPT	 3
#define T_OFLOW	 4
#define T_BOUND	 5
#define T_ILLOP	 6
#define T_DEVICE 7
#define T_DBLFLT 8
#define T_TSS	 10
#define T_SEGNP	 11
#define T_STACK	 12
#define T_GPFLT	 13
#define T_PGFLT	 14
#define T_FPERR	 16
#define T_ALIGN	 17
#define T_MCHK	 18
#define T_SIMD	 19

/* All but the loads of CR3 and the flushes only read. Only inside. */
static inline unsigned long read_cr0(void)
{
	unsigned long cr0;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	return cr0;
}

static inline unsigned long read_cr2(void)
{
	unsigned long cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	return cr2;
}

static inline unsigned long read_cr3(void)
{
	return dbos_read_cr3();
}

static inline unsigned long read_cr4(void)
{
	unsigned long cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	return cr4;
}

/* This vCPU only: dbos_flush() does the others. */
static inline void dune_flush_tlb_one(unsigned long addr)
{
	dbos_invlpg((const void *)addr);
}

static inline void dune_flush_tlb(void)
{
	dbos_write_cr3(dbos_read_cr3());
}

#endif /* DUNE_MMU_H */
