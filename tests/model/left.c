// SPDX-License-Identifier: BSD-2-Clause
/*
 * S1 once more, of one race: members leave as soon as the last snapshot has gone, while another
 * vCPU is copying a page of theirs since it began beside that snapshot, or has the host write it.
 */
#include <string.h>

#include "hosted.h"
#include "views.h"

#define ROUNDS 8
#define PAGES  3	/* of small members, which take few steps */
#define SLOT   1	/* the writer's words */

static struct {
	unsigned int id[2];
	unsigned int pause;	/* until a snapshot goes, at most */
	bool through;
} test;

static void come_and_go(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		int view = view_create(0);

		/* What moves makes frames rest; where it stays, its fault waits with one. */
		machine_store(&snappy.stays, model_random(2));
		work(test.pause);
		if (view > 0)
			view_release(view);
		/* Else what was copied stays where it is, and members' frames rest. */
		if (model_random(2))
			views_leave();
	}
	test.through = true;
	guest_exit(id);
}

/* Nobody else writes it. */
static void must_be_there(unsigned int page, unsigned int word)
{
	uint64_t value = POISON;

	if (!model_read(view_va(page, word), 0, &value))
		model_fail("a read of page %u faulted", page);
	versions_check(0, page, word, value, versions_now(0, page, word));
}

static void write_all_the_time(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	while (!test.through) {
		unsigned int page = model_random(PAGES);
		uint64_t value = versions_new_value();

		if (model_random(4) == 0) {
			hosted_write(id, SLOT, 0, page);
		} else {
			if (!model_write(view_va(page, SLOT), MODEL_PRESENT, value))
				model_fail("a write to page %u faulted", page);
			versions_written(0, page, SLOT, value);
		}
		page = model_random(PAGES);
		must_be_there(page, SLOT);
		must_be_there(page, HOST_WORD(SLOT));
	}
	guest_exit(id);
}

/* Seeds by which there are several members in 2 MiB: see views_members_choose(). */
static void begin(uint64_t seed)
{
	memset(&test, 0, sizeof(test));
	views_begin(seed * 5 + seed % 2, 2, false);
	test.pause = 1u << (3 + model_random(8));
	for (unsigned int i = 0; i < 2; i++)
		test.id[i] = i;
	fixture_add_cpu(0, come_and_go, &test.id[0]);
	fixture_add_cpu(1, write_all_the_time, &test.id[1]);
}

static void end(void)
{
	view_check(0);
	views_check_frames();
}

const struct property left_property = {
	.name = "S1-leave",
	.what = "members leave with all that is being written to them",
	.begin = begin,
	.end = end,
};
