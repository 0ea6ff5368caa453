// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second-level page table: guest-physical to host-physical. NPT and EPT walk the same radix
 * tree of 512-entry tables and differ in a few bits per entry (struct tdp_format).
 *
 * Entries change under vm->mmu_lock. Tables are never freed while the VM lives: a CPU may be
 * walking them at any moment, and an empty table costs a page, not a mistake.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/processor.h>

#include "hypervisor.h"

#define ENTRY_ADDRESS_MASK GENMASK_ULL(51, PAGE_SHIFT)

static inline unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static inline unsigned int entry_index(u64 gpa, unsigned int level)
{
	return (gpa >> level_shift(level)) & (PTRS_PER_PTE - 1);
}

/* Addresses in entries carry the memory-encryption bit where there is one. */
static inline u64 *entry_table(u64 entry)
{
	return __va(__sme_clr(entry) & ENTRY_ADDRESS_MASK);
}

static void *table_alloc(void)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

/*
 * As wide as a process's page table may hold: the guest's own entries carry these addresses, and
 * bits above the CPU's physical width are reserved in them.
 */
unsigned int tdp_gpa_bits(void)
{
	return min_t(unsigned int, boot_cpu_data.x86_phys_bits, 48);
}

u64 *tdp_create(void)
{
	return table_alloc();
}

static void free_tables(u64 *table, unsigned int level)
{
	u64 present = vendor()->tdp_format()->present;
	unsigned int i;

	for (i = 0; level > 1 && i < PTRS_PER_PTE; i++) {
		if (table[i] & present)
			free_tables(entry_table(table[i]), level - 1);
	}
	cond_resched();
	free_page((unsigned long)table);
}

/* The caller makes sure that no vCPU runs on it. */
void tdp_destroy(u64 *root)
{
	free_tables(root, vendor()->tdp_format()->levels);
}

int tdp_cache_fill(struct tdp_cache *cache)
{
	while (cache->count < TDP_CACHE_SIZE) {
		void *page = table_alloc();

		if (!page)
			return -ENOMEM;
		cache->pages[cache->count++] = page;
	}
	return 0;
}

void tdp_cache_free(struct tdp_cache *cache)
{
	while (cache->count)
		free_page((unsigned long)cache->pages[--cache->count]);
}

/*
 * Maps one page, replacing what was there. The cache holds a page for every level below the root,
 * so this can't fail. A present entry only ever gains the right to write here (everything else
 * goes through tdp_zap() first), and a CPU that still holds the weaker translation takes one more
 * fault; so no flush.
 */
void tdp_map(u64 *root, struct tdp_cache *cache, u64 gpa, unsigned long pfn, bool writable)
{
	const struct tdp_format *format = vendor()->tdp_format();
	unsigned int level;
	u64 *table = root;
	u64 leaf;

	for (level = format->levels; level > 1; level--) {
		u64 *entry = &table[entry_index(gpa, level)];

		if (!(*entry & format->present)) {
			void *page = cache->pages[--cache->count];

			WRITE_ONCE(*entry, __sme_set(__pa(page)) | format->table);
		}
		table = entry_table(*entry);
	}
	leaf = __sme_set(PFN_PHYS(pfn)) | format->leaf;
	if (writable)
		leaf |= format->write;
	WRITE_ONCE(table[entry_index(gpa, 1)], leaf);
}

static bool zap_level(u64 *table, unsigned int level, u64 start, u64 end)
{
	u64 present = vendor()->tdp_format()->present;
	u64 span = 1ULL << level_shift(level);
	bool zapped = false;
	u64 gpa, next;

	for (gpa = start; gpa < end; gpa = next) {
		u64 *entry = &table[entry_index(gpa, level)];

		next = min(ALIGN_DOWN(gpa, span) + span, end);
		if (!(*entry & present))
			continue;
		if (level > 1) {
			zapped |= zap_level(entry_table(*entry), level - 1, gpa, next);
		} else {
			WRITE_ONCE(*entry, 0);
			zapped = true;
		}
	}
	return zapped;
}

/* Removes every page in [gpa, gpa + size). True if there was one: then the caller must flush. */
bool tdp_zap(u64 *root, u64 gpa, u64 size)
{
	return zap_level(root, vendor()->tdp_format()->levels, gpa, gpa + size);
}
