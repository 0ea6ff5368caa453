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
#include "words.h"

#define CPUS	   4
#define OPERATIONS 14

enum operation {
	WRITE, READ, CREATE, GO_ON_SNAPSHOT, RELEASE, HOST_WRITE, HOST_READ, LOOK, SERVE,
};

#define DRAWS 20

/*
 * What vCPUs do, each as often as it stands there. A race is of two or three kinds of operations on
 * a page: where there are others, and other pages, it is met seldom.
 */
static const struct kind {
	enum operation draw[DRAWS];
	unsigned int draws;
	bool one_page;
	bool plain;		/* nobody writes in snapshots, the host writes nothing: see end() */
	bool restless;		/* vCPUs are in the host again and again */
	bool stay;		/* the process's pages do, always */
	bool scarce;		/* in half of the schedules frames are */
} kinds[] = {
#define ANYTHING .draws = 20, .draw = { \
	WRITE, WRITE, WRITE, WRITE, WRITE, WRITE, READ, READ, READ, CREATE, CREATE, \
	GO_ON_SNAPSHOT, GO_ON_SNAPSHOT, RELEASE, HOST_WRITE, HOST_WRITE, HOST_READ, HOST_READ, \
	LOOK, SERVE }
	{ ANYTHING, .scarce = true },
	{ ANYTHING, .scarce = true, .plain = true },
	{ ANYTHING, .restless = true },
	{ .one_page = true, .draws = 11, .draw = {
		WRITE, WRITE, WRITE, WRITE, WRITE, WRITE, READ, READ, READ, CREATE, CREATE } },
	/* The host does much of it. */
	{ .one_page = true, .draws = 8, .draw = {
		WRITE, WRITE, WRITE, CREATE, CREATE, HOST_WRITE, HOST_READ, HOST_READ } },
	/* ... of it reading for those on snapshots. */
	{ .one_page = true, .stay = true, .draws = 8, .draw = {
		WRITE, CREATE, GO_ON_SNAPSHOT, GO_ON_SNAPSHOT, HOST_READ, HOST_READ, HOST_READ,
		HOST_READ } },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct {
	const struct kind *kind;
	unsigned int cpus;
	unsigned int id[CPUS];
	unsigned int pages;	/* 1: who writes it, and who sees it, is all that is tried */
} test;

static struct who who[CPUS];

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

	if (parent && test.kind->plain)
		return;
	if (views_have_ready() && model_random(2))
		views_prepare(who->id);
	/* Of one that nobody need be on. */
	if (!parent && !test.kind->plain && model_random(4) == 0)
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

	if (test.kind->restless && model_random(3) == 0)
		host_call(who->id, 30);
	if (views_parted() && model_random(6) == 0)
		use_common(who);
	if (model_random(12) == 0)
		views_join();
	if (!test.kind->plain && model_random(30) == 0)
		views_leave();
	if (!view_has(who->view, page)) {
		look_for_nothing(who, page);
		page = 0;
	}
	switch (test.kind->draw[model_random(test.kind->draws)]) {
	case WRITE:
		word_write(who, page);
		break;
	case READ:
		word_read(who, page);
		break;
	case CREATE:
		if (test.kind->one_page)
			release_one();
		create_one(who);
		break;
	case GO_ON_SNAPSHOT:
		if (!test.kind->plain)
			go_on_snapshot(who);
		break;
	case RELEASE:
		release_one();
		break;
	case HOST_WRITE:
		if (!test.kind->plain)
			hosted_write(who->id, who->slot, who->view, page);
		break;
	case HOST_READ:
		hosted_read(who->id, who->slot, who->view, page);
		break;
	case LOOK:
		look_from_afar();
		break;
	case SERVE:
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
	memset(&test, 0, sizeof(test));
	views_begin(seed, 16, true);
	test.kind = &kinds[model_random(KINDS)];
	test.pages = test.kind->one_page ? 1 : VIEW_PAGES;
	snappy.stays = test.kind->stay || model_random(3) == 0;
	if (test.kind->plain) {
		views_keep_nothing();
		views_nobody_attaches();
	}
	if (test.kind->scarce && model_random(2)) {
		views_make_scarce(2 + model_random(24));
		snappy.drops = model_random(2);
	}
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
	if (!test.kind->plain) {
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
