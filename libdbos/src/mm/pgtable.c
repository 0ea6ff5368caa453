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

#define ENTRIES	     512
#define TABLE_LEVELS 4
#define LEAF	     (DBOS_PTE_P | DBOS_PTE_W | DBOS_PTE_A | DBOS_PTE_D)
#define TABLE	     (DBOS_PTE_P | DBOS_PTE_W | DBOS_PTE_U)

/*
 * Address space for tables, touched only as far as used. 2 MiB leaves over 1 TiB need 4 MiB of
 * it, 4 KiB leaves over 128 GiB (all of a large snapshot region) 256 MiB.
 */
#define FRAMES_SIZE (1ul << 30)

static unsigned int level_shift(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

static unsigned int entry_index(uint64_t va, unsigned int level)
{
	return va >> level_shift(level) & (ENTRIES - 1);
}

/* A zeroed page, or NULL. Called with dbos->lock held. */
static uint64_t *frame_alloc(struct dbos *dbos)
{
	uint64_t *frame = (uint64_t *)dbos->frames;

	if (dbos->frames == dbos->frames_end)
		return NULL;
	dbos->frames += DBOS_PAGE_SIZE;
	return frame;
}

static uint64_t *entry_table(const struct dbos *dbos, uint64_t entry)
{
	uint64_t va;

	return windows_va(&dbos->windows, entry & DBOS_PTE_ADDR, &va) ? (uint64_t *)va : NULL;
}

/* A leaf becomes a table of leaves one level down that say the same. */
static uint64_t *split(struct dbos *dbos, uint64_t *entry, unsigned int level)
{
	uint64_t old = *entry;
	uint64_t step = 1ull << level_shift(level - 1);
	uint64_t *table = frame_alloc(dbos);

	if (!table)
		return NULL;
	if (old & DBOS_PTE_P) {
		uint64_t flags = old & ~DBOS_PTE_ADDR;

		if (level - 1 == 1)
			flags &= ~DBOS_PTE_PS;
		for (unsigned int i = 0; i < ENTRIES; i++)
			table[i] = ((old & DBOS_PTE_ADDR) + i * step) | flags;
	}
	/*
	 * Other vCPUs walk this table now. They see the leaf or the full table behind this store,
	 * and either translates alike, so nobody has to flush.
	 */
	__atomic_store_n(entry, windows_gpa(&dbos->windows, (uint64_t)table) | TABLE,
			 __ATOMIC_RELEASE);
	return table;
}

/* The entry for @va at @level, making tables on the way. NULL: out of frames, or a stray table. */
static uint64_t *walk(struct dbos *dbos, uint64_t va, unsigned int level)
{
	uint64_t *table = dbos->root;

	for (unsigned int l = TABLE_LEVELS; l > level; l--) {
		uint64_t *entry = &table[entry_index(va, l)];

		if (*entry & DBOS_PTE_P && !(*entry & DBOS_PTE_PS))
			table = entry_table(dbos, *entry);
		else
			table = split(dbos, entry, l);
		if (!table)
			return NULL;
	}
	return &table[entry_index(va, level)];
}

static int map_window(struct dbos *dbos, const struct window *window)
{
	unsigned int level = dbos->gigabyte_pages ? 3 : 2;
	uint64_t step = 1ull << level_shift(level);

	for (uint64_t offset = 0; offset < window->size; offset += step) {
		uint64_t *entry = walk(dbos, window->va + offset, level);

		if (!entry)
			return -ENOMEM;
		*entry = (window->gpa + offset) | LEAF | DBOS_PTE_PS;
	}
	return 0;
}

static bool cpu_has_gigabyte_pages(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && edx & 1u << 26;
}

/* The windows are laid out by now, and the frames are inside one of them: mmap put them there. */
int pgtable_create(struct dbos *dbos)
{
	void *frames = mmap(NULL, FRAMES_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int ret = 0;

	if (frames == MAP_FAILED)
		return -ENOMEM;
	dbos->frames = frames;
	dbos->frames_end = dbos->frames + FRAMES_SIZE;
	dbos->gigabyte_pages = cpu_has_gigabyte_pages() && !dbos->hv.no_gigabyte_pages;
	dbos->root = frame_alloc(dbos);
	dbos->cr3 = windows_gpa(&dbos->windows, (uint64_t)frames);
	if (!dbos->cr3 || !windows_gpa(&dbos->windows, (uint64_t)dbos->frames_end - 1))
		ret = -E2BIG;
	for (size_t i = 0; !ret && i < dbos->windows.count; i++)
		ret = map_window(dbos, &dbos->windows.window[i]);
	if (ret)
		pgtable_destroy(dbos);
	return ret;
}

void pgtable_destroy(struct dbos *dbos)
{
	munmap(dbos->frames_end - FRAMES_SIZE, FRAMES_SIZE);
}

int dbos_pte(struct dbos *dbos, const void *va, volatile dbos_pte_t **pte)
{
	if (!windows_gpa(&dbos->windows, (uint64_t)va))
		return -EFAULT;
	pthread_mutex_lock(&dbos->lock);
	*pte = walk(dbos, (uint64_t)va, 1);
	pthread_mutex_unlock(&dbos->lock);
	return *pte ? 0 : -ENOMEM;
}

uint64_t dbos_gpa(const struct dbos *dbos, const void *va)
{
	return windows_gpa(&dbos->windows, (uint64_t)va);
}
