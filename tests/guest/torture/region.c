// SPDX-License-Identifier: BSD-2-Clause
/* The memory under torture, and its words as the host sees, keeps and poisons them. */
#include <sys/mman.h>
#include <unistd.h>

#include "../check.h"
#include "torture.h"

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21u << 26)
#endif

static char *reserve(size_t size)
{
	char *p = mmap(NULL, size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);

	check(p != MAP_FAILED, "mmap");
	return (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);
}

static void create_file(struct region *region, unsigned int flags)
{
	region->file = memfd_create("torture", flags | MFD_CLOEXEC);
	check(region->file >= 0 && ftruncate(region->file, 2 * region->size) == 0, "memfd_create");
	region->alias = mmap(NULL, 2 * region->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     region->file, 0);
	check(region->alias != MAP_FAILED, "mmap");
}

static void region_create(struct region *region, enum kind kind)
{
	bool is_file = kind == SHARED || kind == HUGETLB;
	int flags = MAP_FIXED | (is_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);

	region->kind = kind;
	region->file = -1;
	region->size = kind == THP || kind == HUGETLB ? 2 * HUGE : 64 * PAGE;
	region->base = reserve(region->size);
	region->shadow = reserve(region->size);
	if (is_file)
		create_file(region, kind == HUGETLB ? MFD_HUGETLB | MFD_HUGE_2MB : 0);
	check(mmap(region->base, region->size, PROT_READ | PROT_WRITE, flags, region->file, 0) ==
	      region->base, "mmap");
	if (kind == THP)
		check(madvise(region->base, region->size, MADV_HUGEPAGE) == 0, "MADV_HUGEPAGE");
	if (kind == MERGED)
		check(madvise(region->base, region->size, MADV_MERGEABLE) == 0, "MADV_MERGEABLE");
}

void regions_create(struct torture *torture)
{
	for (enum kind kind = 0; kind < KINDS; kind++)
		region_create(&torture->region[kind], kind);
}

void words_copy(uint64_t *to, char *from, size_t size)
{
	for (size_t page = 0; page < size / PAGE; page++) {
		for (unsigned int i = 0; i < WORDS; i++)
			*to++ = *word_of(from, page, i);
	}
}

void words_restore(char *to, const uint64_t *from, size_t size)
{
	for (size_t page = 0; page < size / PAGE; page++) {
		for (unsigned int i = 0; i < WORDS; i++)
			*word_of(to, page, i) = *from++;
	}
}

void words_poison(char *memory, size_t size)
{
	for (size_t page = 0; page < size / PAGE; page++) {
		for (unsigned int i = 0; i < WORDS; i++)
			*word_of(memory, page, i) = POISON;
	}
}

/* The page in which a word is not what was seen there, or -1. */
long words_changed(char *memory, const uint64_t *seen, size_t size)
{
	for (size_t page = 0; page < size / PAGE; page++) {
		for (unsigned int i = 0; i < WORDS; i++) {
			if (*word_of(memory, page, i) != *seen++)
				return page;
		}
	}
	return -1;
}

long words_unpoisoned(char *memory, size_t size)
{
	for (size_t page = 0; page < size / PAGE; page++) {
		for (unsigned int i = 0; i < WORDS; i++) {
			if (*word_of(memory, page, i) != POISON)
				return page;
		}
	}
	return -1;
}
