// SPDX-License-Identifier: BSD-2-Clause
/*
 * The pool's memory: mappings of its own, apart from the heap, which may be a member of snapshots.
 * Huge pages where the host has any, but for MADVISE, which is about small ones.
 */
#include <sys/mman.h>

#include "tabby/memory.h"

void *tabby_map(size_t size)
{
	char *got = mmap(NULL, size + DBOS_HUGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t begin = ((uintptr_t)got + DBOS_HUGE_SIZE - 1) & ~(DBOS_HUGE_SIZE - 1);

	if (got == MAP_FAILED)
		return NULL;
	size = (size + DBOS_PAGE_SIZE - 1) & ~(DBOS_PAGE_SIZE - 1);
	if (begin > (uintptr_t)got)
		munmap(got, begin - (uintptr_t)got);
	munmap((void *)(begin + size), (uintptr_t)got + DBOS_HUGE_SIZE - begin);
	return (void *)begin;
}

void tabby_unmap(void *memory, size_t size)
{
	if (memory)
		munmap(memory, (size + DBOS_PAGE_SIZE - 1) & ~(DBOS_PAGE_SIZE - 1));
}

/* A kernel without any says no, and then there are none. */
void tabby_use_huge_pages(void *memory, size_t size)
{
	madvise(memory, size, MADV_HUGEPAGE);
}

void tabby_forget(struct tabby *tabby, uint64_t from, uint64_t to)
{
	madvise(tabby_memory(tabby, from), (to - from) * DBOS_PAGE_SIZE, MADV_DONTNEED);
}
