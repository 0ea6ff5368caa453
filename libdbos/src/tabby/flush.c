// SPDX-License-Identifier: BSD-2-Clause
/*
 * All that is dirty goes to disk. What somebody else has called clean is being written by him: a
 * flush waits for whoever began before it came to the end.
 */
#include "tabby/store.h"

/* So often is a dirty page looked at again that somebody has locked. */
#define PATIENCE 1000000

static bool is_dirty(struct tabby *tabby, uint64_t frame, bool *busy)
{
	for (unsigned int i = 0; i < PATIENCE; i++) {
		uint64_t word = tabby_word(tabby, frame);

		if (!tabby_name(tabby, frame) || !(word & DBOS_POOL_DIRTY))
			return false;
		if ((word & DBOS_POOL_STATE) != DBOS_POOL_LOCKED)
			return true;
		machine_pause();
	}
	*busy = true;
	return false;
}

static int write_all(struct tabby *tabby, bool *busy)
{
	uint64_t places = tabby->kind->places(tabby), dirty[TABBY_BATCH];
	size_t count = 0;
	int ret = 0, error;

	for (uint64_t place = 0; place < places; place++) {
		uint64_t frame = tabby->kind->at(tabby, place);

		if (frame == TABBY_NONE || !is_dirty(tabby, frame, busy))
			continue;
		dirty[count++] = frame;
		if (count < tabby->batch)
			continue;
		error = tabby_write_back(tabby, dirty, count);
		ret = ret ? ret : error;
		count = 0;
	}
	error = count ? tabby_write_back(tabby, dirty, count) : 0;
	return ret ? ret : error;
}

static void wait_for_others(struct tabby *tabby)
{
	uint64_t turn = machine_add(&tabby->turn, 1);

	while (machine_load(&tabby->writing[turn % 2]))
		machine_pause();
}

static int flush(struct tabby *tabby)
{
	uint64_t errors = machine_load(&tabby->write_errors);
	bool busy = false;
	int ret = tabby_store_save(tabby), error;

	if (ret)
		return ret;
	ret = write_all(tabby, &busy);
	wait_for_others(tabby);
	error = tabby->device.sync(tabby->device.arg);
	if (ret || error)
		return ret ? ret : error;
	if (machine_load(&tabby->write_errors) != errors)
		return -EIO;
	return busy ? -EBUSY : 0;
}

int dbos_pool_flush(struct dbos_pool *pool)
{
	struct tabby *tabby = tabby_of(pool);
	int ret;

	tabby_begin_alone(tabby);
	ret = flush(tabby);
	tabby_end_alone(tabby);
	return ret;
}
