// SPDX-License-Identifier: BSD-2-Clause
/*
 * S1 once more, of one race: all vCPUs are at the same page or two right behind a cut, in the
 * process or on the snapshot, which goes as soon as they have left it.
 */
#include <string.h>

#include "words.h"

#define CPUS   3
#define ROUNDS 10
#define PAGES  2	/* of even number, which are in the same 2 MiB */

static struct {
	struct who who[CPUS];
	unsigned int pages;
	int view;		/* who likes goes there; 0: nobody */
	unsigned int there;
	bool through;
} test;

static void operate(const struct who *who)
{
	unsigned int page = model_random(test.pages) * 2;

	if (model_random(3))
		word_read(who, page);
	else
		word_write(who, page);
}

static void go_there(struct who *who, int view)
{
	test.there++;
	views[view].writers++;
	if (!snappy_attach(&snappy, views[view].branch))
		model_fail("view %d is closed to who wants to go there", view);
	who->view = view;
	for (unsigned int i = 1 + model_random(6); i > 0; i--)
		operate(who);
	who->view = 0;
	machine_fence();
	views[view].writers--;
	snappy_detach(&snappy);
	test.there--;
}

static void follow(void *arg)
{
	struct who *who = arg;

	guest_enter(who->id);
	while (!test.through) {
		if (test.view > 0 && model_random(2))
			go_there(who, test.view);
		else
			operate(who);
	}
	guest_exit(who->id);
}

/* Now and then it is the second of two cuts. */
static int cut(struct who *who)
{
	int view = view_create(0);

	if (view > 0 && model_random(2)) {
		view_end(view);
		for (unsigned int i = 0; i < PAGES; i++)
			operate(who);
		view = view_create(0);
	}
	return view;
}

static void lead(void *arg)
{
	struct who *who = arg;

	guest_enter(who->id);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		int view = cut(who);

		test.view = view;
		for (unsigned int k = model_random(4); k > 0; k--)
			operate(who);
		test.view = 0;
		while (test.there) {
			cpu_serve(&cpus, &cpus.cpu[who->id]);
			operate(who);
		}
		if (view > 0)
			view_end(view);
	}
	test.through = true;
	guest_exit(who->id);
}

static void begin(uint64_t seed)
{
	memset(&test, 0, sizeof(test));
	views_begin(seed * 3, CPUS, false);
	views_keep_nothing();
	snappy.stays = model_random(2);
	test.pages = 1 + model_random(PAGES);
	for (unsigned int i = 0; i < CPUS; i++) {
		test.who[i] = (struct who){ .slot = i, .id = i };
		fixture_add_cpu(i, i ? follow : lead, &test.who[i]);
	}
}

static void end(void)
{
	view_check(0);
	views_check_ready();
	views_check_frames();
}

const struct property raced_property = {
	.name = "S1-race",
	.what = "right behind a cut all that are at a page see what is theirs",
	.begin = begin,
	.end = end,
};
