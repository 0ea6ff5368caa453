// SPDX-License-Identifier: BSD-2-Clause
#include "large.h"
#include "mm/range.h"
#include "property.h"

#define PAGES 3		/* that are in use */

static uint64_t token;
static bool may_lack_frames;

static uint64_t large_va(uint64_t page)
{
	return LARGE_BASE + page * DBOS_PAGE_SIZE;
}

/* Whatever the leaves' size: the translation stays the same. */
void large_look(void)
{
	uint64_t page = model_random(PAGES), value = 0;
	unsigned int level;
	uint64_t leaf = table_lookup(&table, large_va(page), &level);
	uint64_t gpa = (leaf & DBOS_PTE_ADDR) + (level == 2 ? page * DBOS_PAGE_SIZE : 0);

	if (level > 2 || gpa != DATA_GPA + page * DBOS_PAGE_SIZE)
		model_fail("the walker found %#llx at level %u", (unsigned long long)leaf, level);
	if (!model_read(large_va(page), 0, &value) || value != page)
		model_fail("page %llu of the large leaf shows %#llx", (unsigned long long)page,
			   (unsigned long long)value);
}

void large_write(void)
{
	if (!model_write(large_va(model_random(PAGES)) + SCRAP, 0, 1))
		model_fail("a write to the large leaf faulted");
}

static void no_frame(void)
{
	if (!may_lack_frames)
		model_fail("no frame for a table");
}

void large_split(void)
{
	struct table_entry entry;
	int ret = table_lock(&table, large_va(model_random(PAGES)), 1, &entry);

	if (ret) {
		no_frame();
		return;
	}
	work(5);
	table_unlock(&entry, entry.value);
}

static uint64_t keep(const void *arg, uint64_t va, unsigned int level, uint64_t old)
{
	uint64_t value = DATA_GPA + (va - LARGE_BASE);

	(void)arg;
	if (level > 2 || (old & DBOS_PTE_ADDR) != value)
		model_fail("the range's leaf of level %u at %#llx is %#llx", level,
			   (unsigned long long)va, (unsigned long long)old);
	return old;
}

/* As regions are: each leaf once, whatever its size is by then. */
void large_edit(void)
{
	uint64_t first = model_random(2), done;

	if (range_edit(&table, large_va(first), large_va(first + 4), 2, keep, NULL, &done))
		no_frame();
	else if (done != large_va(first + 4))
		model_fail("the range ends at %#llx", (unsigned long long)done);
}

void large_begin(uint64_t any_token, bool scarce)
{
	may_lack_frames = scarce;
	token = any_token;
	map_at_first(LARGE_BASE, 2, DATA_GPA | LEAF | DBOS_PTE_PS);
	/* Then their table stays, once there is one: not in many schedules. */
	if (model_random(4) == 0)
		put_flush_code(LARGE_BASE, DATA_GPA);
	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t gpa = DATA_GPA + page * DBOS_PAGE_SIZE;

		*data_word(gpa) = page;
		for (unsigned int i = SCRAP / 8 + 1; i < LOOKED_AT; i++)
			*data_word(gpa + i * 8) = token;
	}
}

/* Nobody ever cleans an entry there, so a written page has the D flag. */
static void check_dirty(void)
{
	unsigned int level;

	for (unsigned int page = 0; page < PAGES; page++) {
		if (*data_word(DATA_GPA + page * DBOS_PAGE_SIZE + SCRAP) &&
		    !(table_lookup(&table, large_va(page), &level) & DBOS_PTE_D))
			model_fail("page %u was written, but is not dirty", page);
	}
}

void large_check(void)
{
	check_dirty();
	for (uint64_t page = 0; page < PAGES; page++) {
		uint64_t gpa = DATA_GPA + page * DBOS_PAGE_SIZE;

		for (unsigned int i = SCRAP / 8 + 1; i < LOOKED_AT; i++) {
			if (*data_word(gpa + i * 8) != token)
				model_fail("page %llu of the large leaf was overwritten",
					   (unsigned long long)page);
		}
	}
}
