// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "common.h"

#define PAGES 3
#define SLOTS 4

/* Between members, and behind all of them: see views_begin(). */
static const uint64_t pages[PAGES] = {
	VIEWS_BASE + 17 * FRAME_SIZE,
	VIEWS_BASE + SNAPPY_RANGE + 12 * FRAME_SIZE,
	VIEWS_BASE + SNAPPY_RANGE + 200 * FRAME_SIZE,
};

/* Values rise; everybody who reads from now on sees the one that is published, or a later one. */
static uint64_t last[PAGES][SLOTS], published[PAGES][SLOTS];

static uint64_t home(unsigned int page)
{
	return DATA_GPA + (pages[page] - VIEWS_BASE);
}

void common_reset(void)
{
	memset(last, 0, sizeof(last));
	memset(published, 0, sizeof(published));
}

void common_map(void)
{
	for (unsigned int page = 0; page < PAGES; page++)
		map_at_first(pages[page], 1, home(page) | LEAF);
}

void common_write(unsigned int slot, unsigned int view)
{
	unsigned int page = model_random(PAGES);
	uint64_t value = versions_new_value();

	if (!model_write(pages[page] + slot * 8, MODEL_PRESENT, value)) {
		if (!views_scarce())
			model_fail("a write to what is no member faulted, in view %u", view);
		return;
	}
	last[page][slot] = value;
	if (model_random(2)) {
		machine_fence();
		published[page][slot] = value;
	}
}

void common_read(unsigned int slot, unsigned int view)
{
	unsigned int page = model_random(PAGES), word = model_random(SLOTS);
	uint64_t least = word == slot ? last[page][word] : published[page][word];
	uint64_t value = POISON;

	if (!model_read(pages[page] + word * 8, 0, &value))
		model_fail("a read of what is no member faulted, in view %u", view);
	/* Stored, and not told to us yet: the writer has been stopped in between. */
	if (value < least || value == POISON)
		model_fail("word %u of common page %u is %#llx in view %u, not %#llx or later",
			   word, page, (unsigned long long)value, view, (unsigned long long)least);
}

void common_from_afar(struct branch *branch)
{
	unsigned int page = model_random(PAGES);
	uint64_t value;

	if (snappy_read(&snappy, branch, pages[page], &value, sizeof(value)) != -EFAULT)
		model_fail("common page %u is read as if it were a member", page);
}

void common_check(unsigned int view, uint64_t root)
{
	for (unsigned int page = 0; page < PAGES; page++) {
		uint64_t rights, gpa = view_walk_to(root, pages[page], &rights);

		if (gpa != home(page) || !(rights & DBOS_PTE_W))
			model_fail("view %u has common page %u at %#llx, and may do %#llx there",
				   view, page, (unsigned long long)gpa,
				   (unsigned long long)rights);
	}
}
