/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces: page tables by their root.
 *
 * pgroot is the process's own, libdbos's table, in which everything that the process has mapped is
 * at its address. It begins with leaves of up to 1 GiB. They are split where these functions are
 * pointed at them, so a program only meets the 4 KiB entries that it expects, and those that it has
 * made larger itself (PERM_BIG). dune_vm_clone() makes others, which load_cr3() loads.
 *
 * Entries say what the guest may do. The rights that the host's mapping gives (mprotect) bound it
 * further, and an access must be within both.
 *
 * Functions are thread-safe as far as single entries go; of two that change one range at once both
 * have done so in parts. dune_vm_clone() and dune_vm_free() want the table left alone meanwhile.
 * Callable from handlers as well, but with -EDEADLK or NULL from signal handlers that run outside
 * on top of a thread that is inside.
 */
#ifndef DUNE_VM_H
#define DUNE_VM_H

#include <stddef.h>
#include <stdint.h>

#include <dune/mmu.h>
#include <dune/page.h>

#define PERM_NONE    0
#define PERM_R	     0x0001
#define PERM_W	     0x0002
#define PERM_X	     0x0004
#define PERM_U	     0x0008	/* ring 3 too */
#define PERM_UC	     0x0010	/* uncached */
#define PERM_COW     0x0020	/* dune_vm_default_pgflt_handler() copies it */
#define PERM_BIG     0x0100	/* leaves of 2 MiB */
#define PERM_BIG_1GB 0x0200
#define PERM_USR1    0x1000	/* PTE_USR1 to 3: for the program's own use */
#define PERM_USR2    0x2000
#define PERM_USR3    0x4000

#define PERM_SCODE  (PERM_R | PERM_X)
#define PERM_STEXT  (PERM_R | PERM_W)
#define PERM_SSTACK PERM_STEXT
#define PERM_UCODE  (PERM_R | PERM_U | PERM_X)
#define PERM_UTEXT  (PERM_R | PERM_U | PERM_W)
#define PERM_USTACK PERM_UTEXT

/* Set by dune_init(). */
extern ptent_t *pgroot;

/*
 * Guest-physical addresses: of the process's own memory (Dune had a function for each part of it),
 * and the address itself where the pool is at its own. 0: the process has no memory there.
 */
uintptr_t dune_va_to_pa(void *ptr);

static inline uintptr_t dune_mmap_addr_to_pa(void *ptr)
{
	return dune_va_to_pa(ptr);
}

static inline uintptr_t dune_stack_addr_to_pa(void *ptr)
{
	return dune_va_to_pa(ptr);
}

/* Of a table, given by a root as these functions return it, or by its physical address. */
physaddr_t dune_root_to_pa(unsigned long root);

/* Loads a table, flags of CR3 included. Only inside. */
static inline void load_cr3(unsigned long cr3)
{
	dbos_write_cr3(dune_root_to_pa(cr3));
}

/*
 * Maps whole pages: [va, va + len) to memory at @pa on, or to fresh pages, which are zero. What was
 * there is replaced. -EINVAL: not aligned to the leaves asked for, @perm without PERM_R, or no such
 * root; -EEXIST: smaller leaves are where a big one should be; -ENOMEM: then part of it is done.
 */
int dune_vm_map_phys(ptent_t *root, void *va, size_t len, void *pa, int perm);
int dune_vm_map_pages(ptent_t *root, void *va, size_t len, int perm);

/*
 * Gives what is mapped the rights in @perm (PERM_NONE: none, but the entry remembers the address);
 * all vCPUs have flushed when it returns. A big leaf that sticks out is split. -EINVAL: PERM_W
 * without PERM_R, or part of a big leaf that has no rights; -ENOMEM: then part of it is done.
 */
int dune_vm_mprotect(ptent_t *root, void *va, size_t len, int perm);

/* Clears the entries, and puts the pages they held; all vCPUs have flushed when it returns. */
void dune_vm_unmap(ptent_t *root, void *va, size_t len);

/*
 * The entry of @va. CREATE_NONE: -ENOENT if there is no table for it; else makes one for leaves of
 * that size. A big leaf of the program's own is the entry, whatever was asked for.
 */
enum { CREATE_NONE, CREATE_NORMAL, CREATE_BIG, CREATE_BIG_1GB };

int dune_vm_lookup(ptent_t *root, void *va, int create, ptent_t **pte_out);

/*
 * Maps @pg, and takes a reference, which unmapping puts again. lookup: the page that is mapped, no
 * reference taken; NULL: none from the pool.
 */
int dune_vm_insert_page(ptent_t *root, void *va, struct page *pg, int perm);
struct page *dune_vm_lookup_page(ptent_t *root, void *va);

/*
 * Calls @cb for each entry that is not zero, by rising address, until it returns something else
 * than 0, which is returned. @end_va is the last address. In ranges of up to 64 GiB all of
 * pgroot's leaves are split first, which takes 2 MiB of the pool's 1 GiB for each GiB; in larger
 * ones the callback sees them as they are, with PTE_PS.
 */
typedef int (*page_walk_cb)(const void *arg, ptent_t *ptep, void *va);

#define VA_START ((void *)0)
#define VA_END	 ((void *)0xffffffffffff)

int dune_vm_page_walk(ptent_t *root, void *start_va, void *end_va, page_walk_cb cb,
		      const void *arg);

/*
 * A copy of the tables, whose entries lead to the same memory, and hold references of their own to
 * pages. NULL: out of frames. What libdbos maps later, memory far from all else, is not in it.
 */
ptent_t *dune_vm_clone(ptent_t *root);

/* Puts its pages and frees its tables. It is loaded nowhere, and not pgroot. */
void dune_vm_free(ptent_t *root);

/*
 * Copies a PERM_COW page that is written to, in the table that is loaded. Any other fault is
 * reported and ends the process.
 */
void dune_vm_default_pgflt_handler(uintptr_t addr, uint64_t fec);

#endif /* DUNE_VM_H */
