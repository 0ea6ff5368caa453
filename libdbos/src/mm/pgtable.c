// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guest's page table: one for the process, shared by its vCPUs.
 *
 * It starts as leaves of 1 GiB (2 MiB where the CPU has no larger ones) over all windows, with
 * every right: what the process may really do there is decided by the second-level table, which
 * mirrors the host's. That is a handful of pages for any process, and no guest page fault for
 * ordinary memory. A caller that wants an entry of its own splits the leaves above it.
 */
#include <cpuid.h>
#include <errno.h>
#include <sys/mman.h>

#include <dbos/mm.h>

#include "dbos_internal.h"
#include "mm/pgtable.h"

/*
 * Address space for tables, touched only as far as used. 2 MiB leaves over 1 TiB need 4 MiB of
 * it, 4 KiB leaves over 128 GiB (all of a large snapshot region) 256 MiB. What the allocator
 * knows of each frame is behind them.
 */
#define FRAMES	     (1u << 18)
#define FRAMES_SIZE  ((size_t)FRAMES * FRAME_SIZE)
#define MAPPING_SIZE (FRAMES_SIZE + FRAMES * sizeof(struct frame))

int pgtable_map_window(struct dbos *dbos, const struct window *window, bool tables_only)
{
	unsigned int level = pgtable_largest_leaf(dbos);
	struct table_entry entry;

	for (uint64_t offset = 0; offset < window->size; offset += level_size(level)) {
		int ret = table_lock(&dbos->table, window->va + offset, level, &entry);

		if (ret)
			return ret;
		table_unlock(&entry, tables_only ? entry.value :
			     (window->gpa + offset) | PGTABLE_LEAF | DBOS_PTE_PS);
	}
	return 0;
}

static bool cpu_has_gigabyte_pages(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && edx & 1u << 26;
}

static int create_frames(struct dbos *dbos)
{
	char *memory = mmap(NULL, MAPPING_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t gpa;

	if (memory == MAP_FAILED)
		return -ENOMEM;
	gpa = windows_gpa(&dbos->windows, (uint64_t)memory);
	frames_create(&dbos->frames, &dbos->cpus, memory, gpa, FRAMES,
		      (struct frame *)(memory + FRAMES_SIZE));
	/* In one window, as mmap put them into its neighbourhood. */
	if (!gpa || windows_gpa(&dbos->windows, (uint64_t)memory + FRAMES_SIZE - 1) !=
			    gpa + FRAMES_SIZE - 1) {
		pgtable_destroy(dbos);
		return -E2BIG;
	}
	return 0;
}

/* The windows are laid out by now. */
int pgtable_create(struct dbos *dbos)
{
	int ret = create_frames(dbos);

	if (ret)
		return ret;
	dbos->gigabyte_pages = cpu_has_gigabyte_pages() && !dbos->hv.no_gigabyte_pages;
	ret = table_create(&dbos->table, &dbos->frames, &dbos->cpus);
	for (size_t i = 0; !ret && i < dbos->windows.count; i++)
		ret = pgtable_map_window(dbos, &dbos->windows.window[i], false);
	if (ret)
		pgtable_destroy(dbos);
	dbos->cr3 = dbos->table.root;
	return ret;
}

void pgtable_destroy(struct dbos *dbos)
{
	munmap(dbos->frames.memory, MAPPING_SIZE);
}

uint64_t dbos_gpa(const struct dbos *dbos, const void *va)
{
	return windows_gpa(&dbos->windows, (uint64_t)va);
}
