// SPDX-License-Identifier: BSD-2-Clause
/* Several pages by one batch of reads. */
#include "tabby/tabby.h"

struct wanted {
	struct dbos_pool_transfer transfers[TABBY_BATCH];
	uint64_t frames[TABBY_BATCH];
	size_t count;
};

/* 1: the page is to be read, into a frame that is locked now; 0: it is there, or not to be had. */
static int begin(struct tabby *tabby, uint64_t page, struct wanted *wanted)
{
	uint64_t frame;
	int64_t ret;

	if (page >= machine_load(&tabby->page_count) ||
	    tabby->kind->look_up(tabby, page) != TABBY_NONE)
		return 0;
	ret = tabby_make_room(tabby);
	if (ret < 0)
		return ret;
	frame = ret;
	ret = tabby->kind->enter(tabby, page, &frame);
	if (ret <= 0)
		return ret;
	wanted->frames[wanted->count] = frame;
	wanted->transfers[wanted->count++] = (struct dbos_pool_transfer){
		.page = page, .memory = tabby_memory(tabby, frame),
	};
	return 1;
}

static void finish(struct tabby *tabby, struct wanted *wanted)
{
	if (wanted->count)
		tabby_read(tabby, wanted->transfers, wanted->count);
	for (size_t i = 0; i < wanted->count; i++) {
		uint64_t frame = wanted->frames[i];

		((struct tabby_header *)tabby_memory(tabby, frame))->frame = frame;
		if (!wanted->transfers[i].result) {
			tabby_publish(tabby, frame, 0);
			continue;
		}
		tabby->kind->remove(tabby, frame);
		tabby->kind->give(tabby, &frame, 1);
	}
	wanted->count = 0;
}

int dbos_pool_prefetch(struct dbos_pool *pool, const uint64_t *pages, size_t count)
{
	struct tabby *tabby = tabby_of(pool);
	struct wanted wanted;
	int ret = 0;

	wanted.count = 0;
	for (size_t i = 0; i < count && ret >= 0; i++) {
		ret = begin(tabby, pages[i], &wanted);
		if (wanted.count >= tabby->batch)
			finish(tabby, &wanted);
	}
	finish(tabby, &wanted);
	return ret < 0 ? ret : 0;
}
