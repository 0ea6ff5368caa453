// SPDX-License-Identifier: BSD-2-Clause
/* The memory of a program as fork() would copy it: its objects' data, and the heap of malloc(). */
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snappy/instance.h"

struct walk {
	struct dbos *dbos;
	int ret;
};

static uint64_t page_of(uint64_t va)
{
	return va & ~(FRAME_SIZE - 1ull);
}

/* Where what ld.so has made read-only when it had relocated it ends; 0: nothing was. */
static uint64_t end_of_relro(const struct dl_phdr_info *object)
{
	for (unsigned int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type == PT_GNU_RELRO)
			return page_of(object->dlpi_addr + part->p_vaddr + part->p_memsz);
	}
	return 0;
}

/* libdbos.so: of no interest to programs. What is linked into the program is its own, and kept. */
static bool is_ours(const struct dl_phdr_info *object)
{
	const char *name = strrchr(object->dlpi_name, '/');

	return name && !strncmp(name, "/libdbos", 8);
}

static int add_data(struct dbos *dbos, uint64_t from, uint64_t to)
{
	int ret = 0;

	if (from < to)
		ret = dbos_snap_add_memory(dbos, (void *)from, to - from, DBOS_SNAP_KEEP);
	/* It has been asked for before; other objects have come since. */
	return ret == -EEXIST ? 0 : ret;
}

static int on_object(struct dl_phdr_info *object, size_t size, void *arg)
{
	uint64_t relro = end_of_relro(object);
	struct walk *walk = arg;

	(void)size;
	if (is_ours(object))
		return 0;
	for (unsigned int i = 0; !walk->ret && i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		uint64_t from = page_of(object->dlpi_addr + part->p_vaddr);
		uint64_t to = page_of(object->dlpi_addr + part->p_vaddr + part->p_memsz +
				      FRAME_SIZE - 1);

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_W))
			continue;
		walk->ret = add_data(walk->dbos, from > relro ? from : relro, to);
	}
	return walk->ret;
}

/* 0: there is none. */
static uint64_t find_heap(void)
{
	unsigned long from = 0, at;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	while (maps && !from && fgets(line, sizeof(line), maps)) {
		if (strstr(line, "[heap]") && sscanf(line, "%lx-", &at) == 1)
			from = at;
	}
	if (maps)
		fclose(maps);
	return from;
}

/*
 * All comes from the break from now on: one arena, no mappings of its own, nothing given back. So
 * memory that is taken and freed is what the heap may grow to.
 */
static int add_heap(struct dbos *dbos, size_t room, unsigned int flags)
{
	uint64_t from, to;
	void *grown;
	int ret;

	if (!mallopt(M_ARENA_MAX, 1) || !mallopt(M_MMAP_MAX, 0) ||
	    !mallopt(M_TRIM_THRESHOLD, -1))
		return -EOPNOTSUPP;
	grown = malloc(room);
	if (!grown)
		return -ENOMEM;
	free(grown);
	from = find_heap();
	to = page_of((uint64_t)sbrk(0));
	if (!from || from >= to)
		return -EINVAL;
	ret = dbos_snap_add_memory(dbos, (void *)from, to - from, flags);
	return ret == -EEXIST ? 0 : ret;
}

int dbos_snap_add_process(struct dbos *dbos, size_t room, unsigned int flags)
{
	struct walk walk = { .dbos = dbos };

	if (flags & ~DBOS_SNAP_KEEP)
		return -EINVAL;
	if (in_signal_handler())
		return -EDEADLK;
	walk.ret = add_heap(dbos, room, flags);
	if (!walk.ret)
		dl_iterate_phdr(on_object, &walk);
	return walk.ret;
}
