/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces over mm/table.h, whose locks of entries also hold in tables of the program's own.
 * The public interface (<dbos/mm.h>) has entries of one table only, and for addresses that the
 * process or a region has; a program written for Dune maps what and where it likes.
 */
#ifndef DBOS_COMPAT_VM_H
#define DBOS_COMPAT_VM_H

#include "compat/compat.h"
#include "dbos_internal.h"
#include "mm/table.h"

/* A big leaf that the program has asked for: not to be split because somebody looks at it. */
#define PTE_MADE (1ul << 55)

/*
 * The table of @root, for changes in [va, va + len), or for looking. -EINVAL: no root; -EDEADLK: in
 * a signal handler.
 */
int vm_table(ptent_t *root, const void *va, size_t len, struct table *table);

/* The table that is loaded: pgroot outside. */
int vm_loaded(struct table *table);

/*
 * The leaf of @va and its level, or a value without PTE_P. @split: large leaves that the program
 * has not made are split down to 4 KiB first. -ENOMEM.
 */
int vm_leaf(const struct table *table, uint64_t va, bool split, unsigned int *level,
	    uint64_t *value);

/*
 * Calls @fn for the entries of [first, last] that are not zero; @va is where the entry begins.
 * Stops at what is not 0, and returns it.
 */
typedef int (*vm_entry_fn)(void *arg, const struct table *table, uint64_t va, unsigned int level);

int vm_walk(const struct table *table, uint64_t first, uint64_t last, bool split, vm_entry_fn fn,
	    void *arg);

/* The bits of an entry with the rights @perm. */
uint64_t vm_bits(int perm);

/*
 * The 4 KiB entry @value at @va holds a reference to a page of the pool: not what merely shows the
 * pool's memory where the process has it anyhow.
 */
bool vm_holds_page(uint64_t va, uint64_t value);

#endif /* DBOS_COMPAT_VM_H */
