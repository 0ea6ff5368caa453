// SPDX-License-Identifier: BSD-2-Clause
/*
 * S1: a snapshot holds what was there at one moment, for ever (S1, S3, S7, S8), and what is written
 * in one view is seen at once there and nowhere else (S2, S6, S13, S20). vCPUs write and read, make
 * snapshots of the process and of snapshots, go on them, have the host write (S4) and read for them
 * there, and release them. At the end no frame is missing (S9). Where few are left, what fails is
 * as if it had not been tried, or the oldest snapshot goes, and no other one (S18). In some
 * schedules the process's pages stay where they are.
 *
 * Each vCPU has words of its own in each page: one that it writes, one that the host writes for it.
 */
#include <string.h>

#include "common.h"
#include "hosted.h"
#include "views.h"

#define CPUS	   4
#define OPERATIONS 14

static struct {
	unsigned int cpus;
	unsigned int id[CPUS];
	bool plain;		/* nobody writes in snapshots, the host writes nothing: see end() */
	bool restless;		/* vCPUs are in the host again and again */
	bool calls;		/* the host does much of it */
	bool readers;		/* ... of it reading for those on snapshots, where pages stay */
	unsigned int pages;	/* 1: who writes it, and who sees it, is all that is tried */
} test;

static struct who {
	unsigned int slot, id, view;
} who[CPUS];

static void write_word(const struct who *who, unsigned int page)
{
	uint64_t value = versions_new_value();

	if (!model_write(view_va(page, who->slot), MODEL_PRESENT, value)) {
		if (!views_scarce())
			model_fail("a write to page %u of view %u faulted", page, who->view);
		return;
	}
	versions_written(who->view, page, who->slot, value);
	if (model_random(2)) {
		machine_fence();
		versions_publish(who->view, page, who->slot, value);
	}
}

/* One's own words are as one has left them. */
static void read_word(const struct who *who, unsigned int page)
{
	unsigned int word = model_random(VIEW_WORDS);
	uint64_t least = versions_least(who->view, page, word), value = POISON;

	if (word == who->slot || word == HOST_WORD(who->slot))
		least = versions_now(who->view, page, word);
	if (!model_read(view_va(page, word), 0, &value))
		model_fail("a read of page %u of view %u faulted", page, who->view);
	versions_check(who->view, page, word, value, least);
	/* One's own store may be in one's buffer yet. */
	if (word != who->slot)
		versions_publish(who->view, page, word, value);
}

static void look_from_afar(void)
{
	unsigned int page = model_random(test.pages), word = model_random(VIEW_WORDS);
	int view = view_choose(true);
	uint64_t value = POISON, least;

	if (view < 0 || snappy_lock(&snappy))
		return;
	if (views[view].branch && !view_dropped(view) && view_has(view, page)) {
		least = versions_least(view, page, word);
		if (!views[view].writers)
			least = versions_now(view, page, word);
		if (snappy_read(&snappy, views[view].branch, view_va(page, word), &value, 8))
			model_fail("page %u of view %d can't be read", page, view);
		versions_check(view, page, word, value, least);
		if (views_parted())
			common_from_afar(views[view].branch);
		view_check(view);
	}
	snappy_unlock(&snappy);
}

static void operate(struct who *who);

/* Words of it are one vCPU's each, so several may be there. */
static void go_on_snapshot(struct who *who)
{
	int view = who->view ? -1 : view_choose(true);

	if (view < 0)
		return;
	views[view].pins++;
	views[view].writers++;
	if (!snappy_attach(&snappy, views[view].branch)) {
		if (!snappy.drops)
			model_fail("view %d is closed to who wants to go there", view);
		views[view].pins--;
		views[view].writers--;
		return;
	}
	views[view].pins--;
	who->view = view;
	for (unsigned int i = model_random(5); i > 0; i--)
		operate(who);
	who->view = 0;
	machine_fence();
	views[view].writers--;
	snappy_detach(&snappy);
}

static void release_one(void)
{
	int view = view_choose(false);

	if (view < 0)
		return;
	view_end(view);
}

static void create_one(const struct who *who)
{
	int parent = who->view, view;

	if (parent && test.plain)
		return;
	if (views_have_ready() && model_random(2))
		views_prepare(who->id);
	/* Of one that nobody need be on. */
	if (!parent && !test.plain && model_random(4) == 0)
		parent = view_choose(true);
	view = view_create(parent > 0 ? parent : 0);
	if (view > 0)
		view_check(view);
}

static void use_common(const struct who *who)
{
	if (model_random(2))
		common_write(who->slot, who->view);
	else
		common_read(who->slot, who->view);
}

static unsigned int draw_operation(void)
{
	static const unsigned int of_calls[] = { 0, 1, 2, 9, 10, 14, 15, 18 };
	static const unsigned int of_readers[] = { 0, 9, 11, 11, 15, 18, 15, 18 };

	if (test.readers)
		return of_readers[model_random(sizeof(of_readers) / sizeof(of_readers[0]))];
	if (test.calls)
		return of_calls[model_random(sizeof(of_calls) / sizeof(of_calls[0]))];
	return model_random(test.pages == 1 ? 11 : 20);
}

/* Before it joins it is everybody's: so its translation is known then. */
static void look_for_nothing(const struct who *who, unsigned int page)
{
	bool lacks = views[who->view].lacks;
	uint64_t value;

	if (model_read(view_va(page, 0), 0, &value) && lacks)
		model_fail("view %u reads page %u, which joined later", who->view, page);
}

static void operate(struct who *who)
{
	unsigned int page = model_random(test.pages);

	if (test.restless && model_random(3) == 0)
		host_call(who->id, 30);
	if (views_parted() && model_random(6) == 0)
		use_common(who);
	if (model_random(12) == 0)
		views_join();
	if (!test.plain && model_random(30) == 0)
		views_leave();
	if (!view_has(who->view, page)) {
		look_for_nothing(who, page);
		page = 0;
	}
	switch (draw_operation()) {
	case 0 ... 5:
		write_word(who, page);
		break;
	case 6 ... 8:
		read_word(who, page);
		break;
	case 9: case 10:
		if (test.pages == 1)
			release_one();
		create_one(who);
		break;
	case 11: case 12:
		if (!test.plain)
			go_on_snapshot(who);
		break;
	case 13:
		release_one();
		break;
	case 14: case 19:
		if (!test.plain)
			hosted_write(who->id, who->slot, who->view, page);
		break;
	case 15: case 18:
		hosted_read(who->id, who->slot, who->view, page);
		break;
	case 16:
		look_from_afar();
		break;
	case 17:
		cpu_serve(&cpus, &cpus.cpu[who->id]);
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
	unsigned int kind;

	memset(&test, 0, sizeof(test));
	views_begin(seed, 16, true);
	kind = model_random(6);
	test.plain = kind == 1;
	if (test.plain)
		views_keep_nothing();
	test.readers = kind == 5;
	snappy.stays = test.readers || model_random(3) == 0;
	test.restless = kind == 2;
	test.calls = kind == 4;
	test.pages = kind >= 3 ? 1 : VIEW_PAGES;
	if (kind <= 1 && model_random(2)) {
		views_make_scarce(2 + model_random(24));
		snappy.drops = model_random(2);
	}
	if (test.plain)
		views_nobody_attaches();
	test.cpus = 2 + model_random(CPUS - 1);
	for (unsigned int i = 0; i < test.cpus; i++) {
		who[i] = (struct who){ .slot = i, .id = i * 4 + model_random(4) };
		fixture_add_cpu(who[i].id, run_cpu, &who[i]);
	}
}

/*
 * All have left. Snapshots that nobody has written lead to all that they hold; when none is left,
 * whatever they were, only the process's own frames are in use.
 */
static void end(void)
{
	for (unsigned int i = 0; i < VIEWS; i++) {
		if (!i || views[i].branch)
			view_check(i);
	}
	if (!test.plain) {
		for (unsigned int i = 1; i < VIEWS; i++) {
			if (views[i].branch)
				view_release(i);
		}
		for (unsigned int i = 0; i < 3; i++)
			views_leave();
		view_check(0);
	}
	views_check_ready();
	views_check_frames();
}

const struct property snapshot_property = {
	.name = "S1",
	.what = "a snapshot is one moment, and nobody else's writes are seen in it",
	.begin = begin,
	.end = end,
};
