// SPDX-License-Identifier: BSD-2-Clause
/*
 * S1 once more, of one race: tables are made ready by a vCPU of the process, by one on a snapshot,
 * and by a thread outside, while another vCPU copies a page that they are to lead to. It does so
 * once in a while, so that the page is shared yet whenever the table is being filled. The next
 * snapshot is made of what was ready, and must be one moment.
 */
#include <string.h>

#include "views.h"

#define ROUNDS 8

static struct {
	unsigned int id[2];
	unsigned int pause;	/* between two writes, at most */
	bool through;
} test;

static void fill_tables(unsigned int id, int view)
{
	unsigned int from = view > 0 ? model_random(4) : 3;

	if (from == 3)
		guest_leave(id);
	else if (from && !snappy_attach(&snappy, views[view].branch))
		model_fail("view %d is closed to who wants to go there", view);
	if (snappy_prepare(&snappy, 1 + model_random(3)))
		model_fail("no table can be made ready");
	if (from == 3)
		guest_enter(id);
	else if (from)
		snappy_detach(&snappy);
}

static void make_snapshots(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		int view = view_create(0);

		fill_tables(id, view);
		if (view > 0)
			view_end(view);
	}
	test.through = true;
	guest_exit(id);
}

static void write_now_and_then(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	while (!test.through) {
		/* The first: until its entry is there, nothing makes the filler's stores seen. */
		unsigned int page = model_random(4) ? 0 : model_random(VIEW_PAGES);
		uint64_t value = versions_new_value();

		if (!model_write(view_va(page, 1), MODEL_PRESENT, value))
			model_fail("a write to page %u faulted", page);
		versions_written(0, page, 1, value);
		work(test.pause);
	}
	guest_exit(id);
}

/* Those of the engine that wants tables to be ready. */
static void begin(uint64_t seed)
{
	memset(&test, 0, sizeof(test));
	views_begin(seed * 4 + 2, 2, false);
	views_keep_nothing();
	test.pause = 1u << (6 + model_random(8));
	for (unsigned int i = 0; i < 2; i++)
		test.id[i] = i;
	fixture_add_cpu(0, make_snapshots, &test.id[0]);
	fixture_add_cpu(1, write_now_and_then, &test.id[1]);
}

static void end(void)
{
	view_check(0);
	views_check_ready();
	views_check_frames();
}

const struct property filled_property = {
	.name = "S1-ready",
	.what = "tables that are made ready while pages are copied lead where the process's do",
	.begin = begin,
	.end = end,
};
