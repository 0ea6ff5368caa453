// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second-level page table: guest-physical to host-physical. NPT and EPT walk the same radix
 * tree of 512-entry tables and differ in a few bits per entry (struct tdp_format).
 *
 * Entries change under vm->mmu_lock, and so does the one invariant: a leaf that is present shows
 * memory that the process has mapped. The CPU sets accessed and dirty bits behind our back, which
 * therefore have to be collected from every leaf that goes ("harvest"): reclaim looks for them at
 * the page, never here.
 *
 * A table that is taken out of the tree may still be walked, and written, by a CPU in guest mode
 * until the flush. So: unlink, flush, harvest, free, all under the lock.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/swap.h>
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
static inline u64 entry_address(u64 entry)
{
	return __sme_clr(entry) & ENTRY_ADDRESS_MASK;
}

static inline u64 *entry_table(u64 entry)
{
	return __va(entry_address(entry));
}

static inline bool entry_present(u64 entry)
{
	return entry & vendor()->tdp_format()->present;
}

static inline bool entry_is_leaf(u64 entry, unsigned int level)
{
	return level == 1 || entry & vendor()->tdp_format()->huge;
}

/*
 * As wide as a process's page table may hold: the guest's own entries carry these addresses, and
 * bits above the CPU's physical width are reserved in them.
 */
unsigned int tdp_gpa_bits(void)
{
	return min_t(unsigned int, boot_cpu_data.x86_phys_bits, 48);
}

static void *table_alloc(gfp_t flags)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT | flags);
}

u64 *tdp_create(void)
{
	return table_alloc(0);
}

static void free_tables(u64 *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; level > 1 && i < PTRS_PER_PTE; i++) {
		if (entry_present(table[i]))
			free_tables(entry_table(table[i]), level - 1);
	}
	cond_resched();
	free_page((unsigned long)table);
}

/* The caller makes sure that no vCPU runs on it, and that all leaves are gone. */
void tdp_destroy(u64 *root)
{
	free_tables(root, vendor()->tdp_format()->levels);
}

/*
 * Where the limit of a memory cgroup is reached, the next allocation would call its OOM killer;
 * our own tables can be made again, so they go first. As long as there are any: a page that is
 * given back stays charged to the CPU that did it, up to 64 with each (MEMCG_CHARGE_BATCH), and by
 * then we may be on another one.
 */
int tdp_cache_fill(struct vm *vm, struct tdp_cache *cache)
{
	while (cache->count < TDP_CACHE_SIZE) {
		void *page = table_alloc(__GFP_NORETRY | __GFP_NOWARN);

		while (!page && memory_shrink(vm, TDP_SHRINK_BATCH))
			page = table_alloc(__GFP_NORETRY | __GFP_NOWARN);
		if (!page)
			page = table_alloc(0);
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
 * A leaf is gone: hand what the CPU noted in it to the page. The page is still the process's, for
 * whoever takes it away waits for our notifier, and that for mmu_lock. Memory without a struct
 * page, and the zero page, have nobody who would want to know.
 */
static void harvest_leaf(struct vm *vm, u64 leaf, unsigned int level)
{
	const struct tdp_format *format = vendor()->tdp_format();
	unsigned long pfn = entry_address(leaf) >> PAGE_SHIFT;
	struct page *page;

	vm->stats.leaves[level - 1]--;
	if (!pfn_valid(pfn))
		return;
	page = pfn_to_page(pfn);
	if (PageReserved(page))
		return;
	if (leaf & format->write && (leaf & format->dirty || !format->dirty)) {
		SetPageDirty(page);
		vm->stats.dirtied++;
	}
	/* Pages of hugetlbfs have no LRU list to move up in. */
	if ((leaf & format->accessed || !format->accessed) && PageLRU(page))
		mark_page_accessed(page);
}

/* After the flush. @table is out of the tree, at @level. */
static void harvest_table(struct vm *vm, u64 *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; i < PTRS_PER_PTE; i++) {
		if (!entry_present(table[i]))
			continue;
		if (entry_is_leaf(table[i], level))
			harvest_leaf(vm, table[i], level);
		else
			harvest_table(vm, entry_table(table[i]), level - 1);
	}
	vm->stats.tables--;
	free_page((unsigned long)table);
}

/* What zap_level() took out and nobody has harvested yet. */
struct zapped {
	bool any;
	struct list_head tables;	/* by page->lru; page_private() is the level */
};

static void unlink_table(struct zapped *zapped, u64 *table, unsigned int level)
{
	struct page *page = virt_to_page(table);

	set_page_private(page, level);
	list_add(&page->lru, &zapped->tables);
}

static void finish_zap(struct vm *vm, struct zapped *zapped)
{
	struct page *page, *next;

	if (!zapped->any)
		return;
	/*
	 * Inside the lock: a second invalidation of the same range finds nothing left to remove,
	 * and must not return before this flush is done.
	 */
	vm_flush_tlb(vm);
	list_for_each_entry_safe(page, next, &zapped->tables, lru) {
		unsigned int level = page_private(page);

		list_del(&page->lru);
		set_page_private(page, 0);
		harvest_table(vm, page_address(page), level);
	}
}

/* A table that is covered as a whole goes as a whole; a larger leaf goes if any of it does. */
static void zap_level(struct vm *vm, u64 *table, unsigned int level, u64 start, u64 end,
		      struct zapped *zapped)
{
	u64 span = 1ULL << level_shift(level);
	u64 gpa, next, old;

	for (gpa = start; gpa < end; gpa = next) {
		u64 *entry = &table[entry_index(gpa, level)];
		bool leaf;

		next = min(ALIGN_DOWN(gpa, span) + span, end);
		if (!entry_present(*entry))
			continue;
		leaf = entry_is_leaf(*entry, level);
		if (!leaf && next - gpa < span) {
			zap_level(vm, entry_table(*entry), level - 1, gpa, next, zapped);
			continue;
		}
		old = xchg(entry, 0);
		zapped->any = true;
		if (leaf) {
			harvest_leaf(vm, old, level);
			vm->stats.zapped++;
		} else {
			unlink_table(zapped, entry_table(old), level - 1);
		}
	}
}

/* Removes every leaf that shows some of [start, end), flushes, and frees tables nobody needs. */
void tdp_zap(struct vm *vm, u64 start, u64 end)
{
	struct zapped zapped = { .tables = LIST_HEAD_INIT(zapped.tables) };

	zap_level(vm, vm->tdp_root, vendor()->tdp_format()->levels, start, end, &zapped);
	finish_zap(vm, &zapped);
}

/* The first address from @gpa on whose gigabyte has any entry, or @end. */
u64 tdp_next(struct vm *vm, u64 gpa, u64 end)
{
	unsigned int level = vendor()->tdp_format()->levels;
	u64 *table = vm->tdp_root;

	while (gpa < end) {
		u64 entry = table[entry_index(gpa, level)];

		if (!entry_present(entry)) {
			gpa = ALIGN_DOWN(gpa, 1ULL << level_shift(level)) +
			      (1ULL << level_shift(level));
			level = vendor()->tdp_format()->levels;
			table = vm->tdp_root;
			continue;
		}
		if (level == 3)
			return gpa;
		table = entry_table(entry);
		level--;
	}
	return end;
}

/* The table at @level that @gpa is in. The cache holds a page for every level below the root. */
static u64 *table_for(struct vm *vm, struct tdp_cache *cache, u64 gpa, unsigned int level)
{
	const struct tdp_format *format = vendor()->tdp_format();
	unsigned int l = format->levels;
	u64 *table = vm->tdp_root;

	for (; l > level; l--) {
		u64 *entry = &table[entry_index(gpa, l)];

		/* Larger than what the process has there now: not seen yet by the notifier. */
		if (entry_present(*entry) && entry_is_leaf(*entry, l))
			tdp_zap(vm, gpa, gpa + PAGE_SIZE);
		if (!entry_present(*entry)) {
			void *page = cache->pages[--cache->count];

			WRITE_ONCE(*entry, __sme_set(__pa(page)) | format->table);
			vm->stats.tables++;
		}
		table = entry_table(*entry);
	}
	return table;
}

static u64 leaf_entry(const struct tdp_leaf *leaf)
{
	const struct tdp_format *format = vendor()->tdp_format();
	u64 entry = __sme_set(PFN_PHYS(leaf->pfn)) | format->leaf | format->accessed;

	if (leaf->level > 1)
		entry |= format->huge;
	if (leaf->write)
		entry |= format->write;
	if (leaf->dirty)
		entry |= format->dirty;
	return entry | (leaf->exec ? format->exec : format->no_exec);
}

/*
 * Maps a leaf, replacing what was there: the same memory with fewer rights, or (the host has put a
 * huge page together) a table of smaller leaves. Gaining a right takes no flush: a CPU that still
 * holds the weaker translation takes one more fault. Can't fail.
 */
void tdp_map(struct vm *vm, struct tdp_cache *cache, u64 gpa, const struct tdp_leaf *leaf)
{
	const struct tdp_format *format = vendor()->tdp_format();
	u64 *table = table_for(vm, cache, gpa, leaf->level);
	u64 entry = leaf_entry(leaf);
	u64 old = xchg(&table[entry_index(gpa, leaf->level)], entry);

	vm->stats.leaves[leaf->level - 1]++;
	if (!entry_present(old))
		return;
	if (!entry_is_leaf(old, leaf->level)) {
		vm_flush_tlb(vm);
		harvest_table(vm, entry_table(old), leaf->level - 1);
		vm->stats.collapsed++;
		return;
	}
	harvest_leaf(vm, old, leaf->level);
	if ((old & ~entry & format->write) || entry_address(old) != entry_address(entry) ||
	    (old ^ entry) & (format->exec | format->no_exec))
		vm_flush_tlb(vm);
}

static bool age_level(u64 *table, unsigned int level, u64 start, u64 end, bool clear)
{
	u64 accessed = vendor()->tdp_format()->accessed;
	u64 span = 1ULL << level_shift(level);
	bool young = false;
	u64 gpa, next;

	for (gpa = start; gpa < end; gpa = next) {
		u64 *entry = &table[entry_index(gpa, level)];

		next = min(ALIGN_DOWN(gpa, span) + span, end);
		if (!entry_present(*entry))
			continue;
		if (!entry_is_leaf(*entry, level)) {
			young |= age_level(entry_table(*entry), level - 1, gpa, next, clear);
		} else if (READ_ONCE(*entry) & accessed) {
			young = true;
			if (clear)	/* the CPU may be setting the dirty bit next to it */
				clear_bit(__ffs(accessed), (unsigned long *)entry);
		}
	}
	return young;
}

/*
 * True if the guest has used some of [start, end) since somebody last cleared that. No flush, as
 * for the process's own table on x86: a CPU whose TLB keeps the translation does not set the bit
 * again until it has evicted it, and that costs nothing but a page that looks idle.
 */
bool tdp_age(struct vm *vm, u64 start, u64 end, bool clear)
{
	const struct tdp_format *format = vendor()->tdp_format();
	u64 used = vm->stats.leaves[0] + vm->stats.leaves[1] + vm->stats.leaves[2];

	if (format->accessed)
		return age_level(vm->tdp_root, format->levels, start, end, clear);
	/* Without accessed bits the next fault is what tells. */
	if (clear)
		tdp_zap(vm, start, end);
	return used != vm->stats.leaves[0] + vm->stats.leaves[1] + vm->stats.leaves[2];
}
