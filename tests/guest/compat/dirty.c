// SPDX-License-Identifier: BSD-2-Clause
/* A collector that asks the page table what the mutator has written, as the processor notes it. */
#include "compat/ring3.h"

#define PAGES 300

static char *heap;
static bool dirty[PAGES];
static int seen;

static int clear(const void *arg, ptent_t *ptep, void *va)
{
	(void)arg;
	(void)va;
	__atomic_fetch_and(ptep, ~(PTE_A | PTE_D), __ATOMIC_RELAXED);
	return 0;
}

static int collect(const void *arg, ptent_t *ptep, void *va)
{
	size_t page = ((char *)va - heap) / PGSIZE;

	check(page < PAGES, "%p is out of range", va);
	check(PTE_ADDR(*ptep) == dune_va_to_pa(va), "%p leads elsewhere", va);
	dirty[page] = *ptep & PTE_D;
	check(!dirty[page] || *ptep & PTE_A, "dirty, not accessed");
	seen++;
	return *(const int *)arg == seen;
}

static bool written(int page)
{
	return page % 7 == 3 || page == PAGES - 1;
}

int main(void)
{
	char *end;
	int stop = 0;

	check_ok(dune_init_and_enter());
	heap = memory(PAGES * PGSIZE);
	end = heap + PAGES * PGSIZE - 1;
	memset(heap, 1, PAGES * PGSIZE);
	for (int round = 0; round < 2; round++) {
		check_ok(dune_vm_page_walk(pgroot, heap, end, clear, NULL));
		dune_flush_tlb();
		for (int i = 0; i < PAGES; i++) {
			volatile char *byte = &heap[i * PGSIZE + i];
			char was = *byte;

			if (written(i))
				*byte = was + 1;
		}
		seen = 0;
		check_ok(dune_vm_page_walk(pgroot, heap, end, collect, &stop));
		check(seen == PAGES, "%d entries", seen);
		for (int i = 0; i < PAGES; i++)
			check(dirty[i] == written(i), "page %d: %d", i, dirty[i]);
	}
	seen = 0;
	stop = 5;
	check(dune_vm_page_walk(pgroot, heap, end, collect, &stop) == 1 && seen == 5, "ran on");
	puts("dirty: ok");
	return 0;
}
