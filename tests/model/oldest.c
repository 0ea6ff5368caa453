// SPDX-License-Identifier: BSD-2-Clause
/*
 * S11: an old snapshot holds what it has, and nothing else (S10: none leaves anything behind). One
 * snapshot stays for the whole schedule, while others come and go in any order and each page is
 * written for each of them: all together many times what the pool has. Whatever is not free at the
 * end is led to by the process's table or by that of a snapshot that is there.
 */
#include <string.h>

#include "views.h"

#define CPUS   2
#define CYCLES 10
#define YOUNG  3	/* at once */

static struct {
	unsigned int id[CPUS];
	unsigned int done;		/* makers of snapshots that are through */
} test;

static void write_pages(unsigned int slot)
{
	for (unsigned int page = 0; page < VIEW_PAGES; page++) {
		uint64_t value = versions_new_value();

		if (!model_write(view_va(page, slot), MODEL_PRESENT, value))
			model_fail("no frame for a page that is written");
		versions_written(0, page, slot, value);
	}
}

/* The oldest is view 1. */
static unsigned int young(void)
{
	unsigned int count = 0;

	for (unsigned int i = 2; i < VIEWS; i++)
		count += views[i].branch != NULL;
	return count;
}

static void release_young(void)
{
	int view;

	do {
		view = view_choose(false);
	} while (view == 1);
	if (view < 0)
		return;
	view_end(view);
}

static void make_snapshots(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	if (view_create(0) != 1)
		model_fail("the first snapshot is not the first");
	for (unsigned int i = 0; i < CYCLES; i++) {
		write_pages(0);
		if (views_have_ready() && model_random(2))
			views_prepare(id);
		view_create(0);
		while (young() > model_random(YOUNG + 1))
			release_young();
		if (model_random(8) == 0)
			host_call(id, 50);
	}
	view_check(1);
	test.done++;
	guest_exit(id);
}

static void write_all_the_time(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	while (!test.done) {
		write_pages(1);
		work(500);
	}
	guest_exit(id);
}

static void begin(uint64_t seed)
{
	memset(&test, 0, sizeof(test));
	views_begin(seed, CPUS, false);
	views_keep_nothing();
	snappy.stays = model_random(3) == 0;
	for (unsigned int i = 0; i < CPUS; i++)
		test.id[i] = i;
	fixture_add_cpu(0, make_snapshots, &test.id[0]);
	if (model_random(2))
		fixture_add_cpu(1, write_all_the_time, &test.id[1]);
}

static void end(void)
{
	for (unsigned int i = 0; i < VIEWS; i++) {
		if (!i || views[i].branch)
			view_check(i);
	}
	views_check_ready();
	views_check_frames();
}

const struct property oldest_property = {
	.name = "S11",
	.what = "an old snapshot holds what it has, and nothing else",
	.begin = begin,
	.end = end,
};
