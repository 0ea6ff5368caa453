// SPDX-License-Identifier: BSD-2-Clause
/*
 * More frames, or fewer.
 *
 * A frame that goes is nobody's and locked for ever, and its memory goes back to the host, which
 * sees to its own TLBs and the second level's. Its place in the process's memory and in the array
 * of frames stays: whoever comes by a stale translation, or has had the frame's number in a
 * register all the while, reads zeroes and a locked word, and goes the long way. So nobody is
 * waited for, and no vCPU has to flush.
 */
#include "tabby/tabby.h"

/* 1: the frame was evicted, 0: it is free, or pinned. */
static int empty(struct tabby *tabby, uint64_t frame)
{
	int ret = 0;

	if (!tabby_name(tabby, frame))
		return 0;
	ret = tabby_write_back(tabby, &frame, 1);
	if (ret || !tabby_evict(tabby, frame))
		return ret;
	tabby->next[frame] = TABBY_DROPPED;
	return 1;
}

/*
 * They come back later than it seems: to lists of those who had not seen yet that there are fewer.
 */
static int take_away(struct tabby *tabby, uint64_t from, uint64_t to)
{
	uint64_t left = to - from;

	for (;;) {
		left -= tabby_drop_free(tabby, from);
		for (uint64_t frame = from; frame < to; frame++) {
			int ret = empty(tabby, frame);

			if (ret < 0)
				return ret;
			left -= ret;
		}
		if (!left)
			return 0;
		machine_pause();
	}
}

static void bring_back(struct tabby *tabby, uint64_t from, uint64_t to)
{
	for (uint64_t frame = from; frame < to; frame++) {
		if (tabby->next[frame] == TABBY_DROPPED)
			tabby_give(tabby, &frame, 1);
	}
	machine_store(&tabby->limit, to);
}

int tabby_resize(struct tabby *tabby, uint64_t frames)
{
	uint64_t before = tabby->limit;
	int ret;

	if (frames >= before) {
		bring_back(tabby, before, frames);
		return 0;
	}
	machine_store(&tabby->limit, frames);
	ret = take_away(tabby, frames, before);
	if (ret)
		bring_back(tabby, frames, before);
	else
		tabby_forget(tabby, frames, before);
	return ret;
}

int dbos_pool_resize(struct dbos_pool *pool, uint64_t frames)
{
	struct tabby *tabby = tabby_of(pool);
	int ret;

	if (frames < TABBY_LEAST || frames > tabby->limit_max)
		return -EINVAL;
	tabby_begin_alone(tabby);
	ret = tabby->kind->resize(tabby, frames);
	tabby_end_alone(tabby);
	return ret;
}
