// SPDX-License-Identifier: BSD-2-Clause
/* Views as they should be, and all frames counted. */
#include <string.h>

#include "common.h"
#include "views.h"

/* *rights: the flags that the entries on the way have in common. */
uint64_t view_walk_to(uint64_t root, uint64_t va, uint64_t *rights)
{
	uint64_t gpa = root;

	*rights = ~DBOS_PTE_ADDR;
	for (unsigned int level = TABLE_LEVELS; level > 0; level--) {
		uint64_t size = 1ull << (12 + 9 * (level - 1));
		uint64_t entry = *data_word(gpa + va / size % TABLE_ENTRIES * 8);

		*rights &= entry;
		gpa = entry & DBOS_PTE_ADDR;
		if (!(entry & DBOS_PTE_P))
			return 0;
		if (level > 1 && entry & DBOS_PTE_PS)
			return gpa + (va % size & ~(FRAME_SIZE - 1ull));
	}
	return gpa;
}

/* A cut that found no frame may have taken the right to write, and a fault gives it back. */
static void check_at_its_place(unsigned int page)
{
	uint64_t rights;

	if ((view_keeps(page) || views_stay()) && view_frame(0, page) != view_home(page))
		model_fail("page %u of the process has moved", page);
	view_walk_to(table.root, view_va(page, 0), &rights);
	if (view_keeps(page) && !views_scarce() && !(rights & DBOS_PTE_W))
		model_fail("page %u is kept, and the process may not write it", page);
}

void view_check(unsigned int view)
{
	if (view_dropped(view))
		return;
	for (unsigned int i = 0; i < VIEW_PAGES * VIEW_WORDS; i++) {
		unsigned int page = i / VIEW_WORDS, word = i % VIEW_WORDS;
		uint64_t least = versions_least(view, page, word), value;

		if (!views[view].writers)
			least = versions_now(view, page, word);
		value = view_word(view, page, word, NULL);
		versions_check(view, page, word, value, least);
	}
	for (unsigned int page = 0; page < VIEW_PAGES && !view; page++)
		check_at_its_place(page);
	if (views_parted())
		common_check(view, view ? views[view].branch->table.root : table.root);
}

void views_check_ready(void)
{
	uint64_t is[TABLE_LEVELS + 1], should[TABLE_LEVELS + 1];

	for (unsigned int i = 0; i < READY_MAX * VIEW_PAGES; i++) {
		const struct ready *ready = &snappy.ready[i / VIEW_PAGES];

		if (ready->state != READY_FULL)
			continue;
		view_walk(ready->branch.table.root, i % VIEW_PAGES, is);
		view_walk(table.root, i % VIEW_PAGES, should);
		if (is[TABLE_LEVELS] != (view_is_shared(i % VIEW_PAGES) ? should[TABLE_LEVELS] : 0))
			model_fail("page %u is at %#llx, and at %#llx in a table that is ready",
				   i % VIEW_PAGES, (unsigned long long)should[TABLE_LEVELS],
				   (unsigned long long)is[TABLE_LEVELS]);
	}
}

static bool seen[POOL_MAX];

static bool is_of_pool(uint64_t gpa)
{
	return gpa >= POOL_GPA && gpa < POOL_GPA + VIEWS_POOL * FRAME_SIZE;
}

/* Tables are of the pool; pages may be. */
static void see(uint64_t gpa, unsigned int level)
{
	if (!is_of_pool(gpa) || seen[(gpa - POOL_GPA) / FRAME_SIZE])
		return;
	seen[(gpa - POOL_GPA) / FRAME_SIZE] = true;
	for (unsigned int i = 0; level > 0 && i < TABLE_ENTRIES; i++) {
		uint64_t entry = *data_word(gpa + i * 8);

		if (entry & DBOS_PTE_P && !(level > 1 && entry & DBOS_PTE_PS))
			see(entry & DBOS_PTE_ADDR, level - 1);
	}
}

static unsigned int frames_reached(void)
{
	unsigned int count = 0;

	memset(seen, 0, sizeof(seen));
	see(table.root, TABLE_LEVELS);
	for (unsigned int i = 1; i < VIEWS; i++) {
		if (views[i].branch && !view_dropped(i))
			see(views[i].branch->table.root, TABLE_LEVELS);
	}
	for (unsigned int i = 0; i < READY_MAX; i++) {
		if (snappy.ready[i].state != READY_NONE)
			see(snappy.ready[i].branch.table.root, TABLE_LEVELS);
	}
	for (unsigned int i = 0; i < VIEWS_POOL; i++)
		count += seen[i];
	return count;
}

static unsigned int frames_free_now(void)
{
	unsigned int count = 0;

	while (count < VIEWS_POOL && frames_alloc(&frames))
		count++;
	return count;
}

/* What is counted of snapshots, against those that there are. */
static void check_counters(void)
{
	uint64_t live = 0, oldest = 0;

	for (unsigned int i = 1; i < VIEWS; i++) {
		const struct branch *branch = view_dropped(i) ? NULL : views[i].branch;

		live += branch != NULL;
		if (branch && (!oldest || branch->epoch < oldest))
			oldest = branch->epoch;
	}
	if (snappy.counters.live != live || snappy.counters.oldest != oldest)
		model_fail("%llu snapshots are counted, the oldest of %llu; it is %llu, of %llu",
			   (unsigned long long)snappy.counters.live,
			   (unsigned long long)snappy.counters.oldest, (unsigned long long)live,
			   (unsigned long long)oldest);
	if (snappy.counters.longest_step >= snappy.step + TABLE_ENTRIES)
		model_fail("a release has done %llu at once",
			   (unsigned long long)snappy.counters.longest_step);
	if (!live && snappy.counters.held)
		model_fail("%llu frames are held by no snapshot",
			   (unsigned long long)snappy.counters.held);
}

void views_check_frames(void)
{
	unsigned int reached = frames_reached(), free = frames_free_now(), away = 0;

	if (reached + free + views_hoarded() != VIEWS_POOL)
		model_fail("of %u frames %u are in use and %u are free", VIEWS_POOL, reached,
			   free);
	for (unsigned int i = 0; i < VIEW_PAGES; i++)
		away += !views_reach(view_home(i));
	if (away != snappy.resting_count)
		model_fail("%u pages are nowhere at home, and %llu frames rest", away,
			   (unsigned long long)snappy.resting_count);
	check_counters();
}
