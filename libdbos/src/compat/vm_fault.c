// SPDX-License-Identifier: BSD-2-Clause
/* Copy on write, for programs that ask for no more: PERM_COW. */
#include <string.h>

#include "compat/vm.h"

enum outcome { REPAIRED, NO_MEMORY, NOT_OURS };

/* Nobody else has it: so it need not be copied. */
static bool is_last_reference(uint64_t va, uint64_t value)
{
	return vm_holds_page(va, value) &&
	       __atomic_load_n(&dune_pa2page(PTE_ADDR(value))->ref, __ATOMIC_ACQUIRE) == 1;
}

/* Another vCPU may have been here before, or may come while the entry is locked: it waits. */
static enum outcome copy_on_write(const struct table *table, uint64_t va)
{
	struct page *pg = dune_page_alloc();
	struct table_entry entry;
	uint64_t value;

	if (!pg)
		return NO_MEMORY;
	if (table_lock(table, va, 1, &entry)) {
		dune_page_put(pg);
		return NO_MEMORY;
	}
	value = entry.value;
	if (value & PTE_COW && !is_last_reference(va, value)) {
		/* The entry translates as before, for reading. */
		memcpy(dune_page2va(pg), (void *)va, PGSIZE);
		value = dune_page2pa(pg) | PTE_FLAGS(value);
		pg = vm_holds_page(va, entry.value) ? dune_pa2page(PTE_ADDR(entry.value)) : NULL;
	}
	if (value & PTE_COW)
		value = (value & ~PTE_COW) | PTE_W;
	table_unlock(&entry, value);
	dbos_flush(dbos_instance(), (void *)va, 1, DBOS_FLUSH_SYNC, NULL);
	if (pg)
		dune_page_put(pg);
	return value & PTE_P && value & PTE_W ? REPAIRED : NOT_OURS;
}

void dune_vm_default_pgflt_handler(uintptr_t addr, uint64_t fec)
{
	enum outcome outcome = NOT_OURS;
	struct table table;

	if (fec & FEC_P && fec & FEC_W && vm_loaded(&table) == 0)
		outcome = copy_on_write(&table, PGADDR(addr));
	if (outcome == REPAIRED)
		return;
	dune_printf("dune: page fault at %#lx, error code %#lx: %s\n", addr, fec,
		    outcome == NO_MEMORY ? "no page to copy to" : "not copy-on-write");
	dune_die();
}
