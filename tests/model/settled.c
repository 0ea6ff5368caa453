// SPDX-License-Identifier: BSD-2-Clause
/*
 * S16: pages that snapshots have scattered come home, and 2 MiB are one leaf again, with all that
 * was written, by whomever, also while they were on their way. vCPUs write, have the host write and
 * read for them, make and release snapshots, and settle what they may, by little and by much; and
 * members leave for a moment, whose pages are home by that. At the end there are no snapshots, and
 * settling brings back the page table of the beginning.
 */
#include <errno.h>
#include <string.h>

#include "hosted.h"
#include "snappy/settle.h"
#include "views.h"

#define CPUS	   3
#define OPERATIONS 24

static struct {
	bool pages;		/* leaves are of 4 KiB at first: nothing is there to become 2 MiB */
	unsigned int cpus;
} test;

static struct who {
	unsigned int slot, id;
} who[CPUS];

static void write_word(const struct who *who)
{
	unsigned int page = model_random(VIEW_PAGES);
	uint64_t value = versions_new_value();

	if (!model_write(view_va(page, who->slot), MODEL_PRESENT, value))
		model_fail("a write to page %u faulted", page);
	versions_written(0, page, who->slot, value);
}

static void read_word(const struct who *who)
{
	unsigned int page = model_random(VIEW_PAGES), word = model_random(VIEW_WORDS);
	uint64_t least = versions_least(0, page, word), value = POISON;

	if (word == who->slot || word == HOST_WORD(who->slot))
		least = versions_now(0, page, word);
	if (!model_read(view_va(page, word), 0, &value))
		model_fail("a read of page %u faulted", page);
	versions_check(0, page, word, value, least);
	if (word != who->slot)
		versions_publish(0, page, word, value);
}

static void release_all(void)
{
	for (int view; (view = view_choose(false)) > 0;)
		view_end(view);
}

static void settle(uint64_t pages)
{
	uint64_t left;
	int ret;

	if (snappy_lock(&snappy))
		model_fail("the lock of snapshots can't be had");
	ret = snappy_settle(&snappy, pages, &left);
	if (ret && !(ret == -EBUSY && snappy.own.child))
		model_fail("pages can't be settled: error %d", -ret);
	snappy_unlock(&snappy);
}

static void settle_some(const struct who *who)
{
	bool outside = model_random(2);

	if (outside)
		guest_leave(who->id);
	settle(model_random(2) ? model_random(6) : 1000);
	if (outside)
		guest_enter(who->id);
}

static void operate(struct who *who)
{
	unsigned int page = model_random(VIEW_PAGES);

	switch (model_random(16)) {
	case 0 ... 5:
		write_word(who);
		break;
	case 6: case 7:
		read_word(who);
		break;
	case 8:
		hosted_write(who->id, who->slot, 0, page);
		break;
	case 9:
		hosted_read(who->id, who->slot, 0, page);
		break;
	case 10: case 11:
		view_create(0);
		break;
	case 12: case 13:
		release_all();
		break;
	case 14:
		if (model_random(2))
			settle_some(who);
		else
			views_leave();
		break;
	case 15:
		if (views_have_ready())
			views_prepare(who->id);
	}
}

static void run_cpu(void *arg)
{
	struct who *who = arg;

	guest_enter(who->id);
	for (unsigned int i = 0; i < OPERATIONS; i++)
		operate(who);
	guest_exit(who->id);
}

static void begin(uint64_t seed)
{
	memset(&test, 0, sizeof(test));
	test.pages = seed % 3 == 0;
	views_begin(seed, CPUS, false);
	test.cpus = 2 + model_random(CPUS - 1);
	snappy.stays = model_random(3) == 0;
	for (unsigned int i = 0; i < test.cpus; i++) {
		who[i] = (struct who){ .slot = i, .id = i };
		fixture_add_cpu(who[i].id, run_cpu, &who[i]);
	}
}

/* By a walk of the tests' own. */
static void check_table(void)
{
	for (unsigned int page = 0; page < VIEW_PAGES; page++) {
		uint64_t path[TABLE_LEVELS + 1];

		view_walk(table.root, page, path);
		if (path[TABLE_LEVELS] != view_home(page))
			model_fail("page %u is at %#llx, and belongs at %#llx", page,
				   (unsigned long long)path[TABLE_LEVELS],
				   (unsigned long long)view_home(page));
		if (!test.pages && !views_parted() && path[TABLE_LEVELS - 1])
			model_fail("page %u has a leaf table yet", page);
	}
}

static void end(void)
{
	release_all();
	settle(1000);
	check_table();
	view_check(0);
	views_check_ready();
	views_check_frames();
}

const struct property settle_property = {
	.name = "S16",
	.what = "pages come home, and 2 MiB are one leaf again",
	.begin = begin,
	.end = end,
};
