// SPDX-License-Identifier: BSD-2-Clause
/* Which pages are members: all at once, or as parts with common pages in between. */
#include <errno.h>
#include <string.h>

#include "common.h"
#include "views.h"

/*
 * In pages, as in place_of(). What is between them is common. The last one is there from the
 * beginning, joins late, or never.
 */
struct part {
	unsigned int first, end;
};

static const struct part whole[] = { { 0, 1024 }, { 1024, 1536 } };
static const struct part parts[] = {
	{ 20, 516 }, { 0, 12 }, { 14, 15 }, { 516, 522 }, { 527, 612 }, { 1024, 1536 },
};

/* Of these, for each snapshot has frames of its own for them: the small ones, with a page each. */
#define MAY_KEEP (1u << 2 | 1u << 3)


static struct life lives[VIEWS_RANGES * TABLE_ENTRIES];
static bool parted, late, joined;
static unsigned int keeps;		/* a bit for each part */

/* Pages are far from one another, and in two ranges; the late one in the third. */
static unsigned int place_of(unsigned int page)
{
	unsigned int range = late && page == VIEWS_LATE ? VIEWS_RANGES - 1 : page % 2;

	return range * TABLE_ENTRIES + page * 7;
}

uint64_t view_va(unsigned int page, unsigned int word)
{
	return VIEWS_BASE + place_of(page) * FRAME_SIZE + word * 8;
}

uint64_t view_home(unsigned int page)
{
	return DATA_GPA + place_of(page) * FRAME_SIZE;
}

bool views_parted(void)
{
	return parted;
}

static unsigned int part_count(void)
{
	return (parted ? sizeof(parts) : sizeof(whole)) / sizeof(struct part);
}

static struct part part_at(unsigned int i)
{
	return parted ? parts[i] : whole[i];
}

bool view_keeps(unsigned int page)
{
	for (unsigned int i = 0; i < part_count(); i++) {
		if (place_of(page) >= part_at(i).first && place_of(page) < part_at(i).end)
			return keeps & 1u << i;
	}
	return false;
}

/* Not all of its 2 MiB are one member: tables that are ready have nothing there. */
bool view_is_shared(unsigned int page)
{
	return !parted || place_of(page) >= 2 * TABLE_ENTRIES;
}

void views_keep_nothing(void)
{
	keeps = 0;
	for (uint64_t i = 0; i < snappy.member_count; i++)
		snappy.member[i].kept = false;
}

bool view_has(unsigned int view, unsigned int page)
{
	return !late || page != VIEWS_LATE || (joined && !views[view].lacks);
}

static int add_member(unsigned int i)
{
	struct part part = part_at(i);
	char *memory = (char *)model_memory() + DATA_GPA + part.first * FRAME_SIZE;
	struct lives_extent extent = {
		.gpa = DATA_GPA + part.first * FRAME_SIZE, .count = part.end - part.first,
		.life = lives + part.first, .inside = memory, .outside = memory,
	};

	return snappy_add_member(&snappy, VIEWS_BASE + part.first * FRAME_SIZE, &extent,
				 keeps & 1u << i);
}

void views_members_choose(uint64_t seed, bool with_late)
{
	parted = seed % 5 < 2;
	late = with_late && seed % 7 == 0;
	joined = false;
}

void views_members_begin(bool large)
{
	keeps = parted ? model_random(16) & MAY_KEEP : 0;
	for (unsigned int i = 0; i < VIEWS_RANGES && large; i++)
		map_at_first(VIEWS_BASE + i * SNAPPY_RANGE, 2,
			     (DATA_GPA + i * SNAPPY_RANGE) | LEAF | DBOS_PTE_PS);
	for (unsigned int i = 0; i < VIEW_PAGES && !large; i++)
		map_at_first(view_va(i, 0), 1, view_home(i) | LEAF);
	if (!large)
		common_map();
}

void views_members_add(void)
{
	for (unsigned int i = 0; i < part_count() - 1; i++) {
		if (add_member(i))
			model_fail("no member");
	}
}

/* Snapshots that are there have nothing of it. */
void views_join(void)
{
	int ret;

	if (!late || joined || snappy_lock(&snappy))
		return;
	ret = joined ? 0 : add_member(part_count() - 1);
	if (ret && !views_scarce() && !(ret == -EBUSY && snappy.ready_count))
		model_fail("a page can't join: error %d", -ret);
	for (unsigned int i = 1; i < VIEWS && !ret && !joined; i++) {
		views[i].lacks = views[i].branch != NULL;
		if (views[i].branch && view_frame(i, VIEWS_LATE))
			model_fail("view %u has what joined later", i);
	}
	joined |= !ret;
	snappy_unlock(&snappy);
}

/* The pages are at home, as they were. */
static void check_at_home(const struct part *part)
{
	for (unsigned int i = 0; i < VIEW_PAGES * VIEW_WORDS; i++) {
		unsigned int page = i / VIEW_WORDS, word = i % VIEW_WORDS;

		if (place_of(page) < part->first || place_of(page) >= part->end)
			continue;
		if (view_frame(0, page) != view_home(page))
			model_fail("page %u has left, and is not at home", page);
		versions_check(0, page, word, *data_word(view_home(page) + word * 8),
			       versions_least(0, page, word));
	}
}

void views_leave(void)
{
	unsigned int i = model_random(part_count() - 1);
	struct part part = part_at(i);
	struct lives_extent memory;

	if (snappy_lock(&snappy))
		return;
	if (!snappy_remove_member(&snappy, VIEWS_BASE + part.first * FRAME_SIZE, &memory)) {
		if (memory.gpa != DATA_GPA + part.first * FRAME_SIZE)
			model_fail("another member has left");
		check_at_home(&part);
		if (add_member(i))
			model_fail("no member any more");
	}
	snappy_unlock(&snappy);
}
