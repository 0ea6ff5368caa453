// SPDX-License-Identifier: BSD-2-Clause
/*
 * The clock: each frame that the hand passes is marked; whoever uses its page takes the mark away;
 * the hand takes what is still marked when it comes again. What is dirty of that is written back
 * first, a batch together, pinned shared: it can be read meanwhile. And then it is a victim only if
 * it is clean and nobody's: a store behind the write has made it dirty again.
 */
#include "tabby/tabby.h"

/* What one round of the hand has found. */
struct batch {
	uint64_t victims[TABBY_BATCH];		/* locked, nobody's: free */
	size_t victim_count;
	uint64_t dirty[TABBY_BATCH];
	size_t dirty_count;
};

/* How often all frames are found pinned before that is an error. */
#define PATIENCE 10000

/* @word was the frame's, before its name was found to be somebody's. */
static bool lock_victim(struct tabby *tabby, uint64_t frame, uint64_t word)
{
	if (word & DBOS_POOL_DIRTY ||
	    !tabby_swap(tabby, frame, word, word | DBOS_POOL_LOCKED))
		return false;
	tabby->kind->remove(tabby, frame);
	return true;
}

bool tabby_evict(struct tabby *tabby, uint64_t frame)
{
	uint64_t word = tabby_word(tabby, frame), state = word & DBOS_POOL_STATE;

	return tabby_name(tabby, frame) && (!state || state == DBOS_POOL_MARKED) &&
	       lock_victim(tabby, frame, word);
}

static void look_at(struct tabby *tabby, struct batch *batch, uint64_t frame)
{
	uint64_t word = tabby_word(tabby, frame);

	if (!tabby_name(tabby, frame))
		return;
	if (!(word & DBOS_POOL_STATE))
		tabby_swap(tabby, frame, word, word | DBOS_POOL_MARKED);
	else if ((word & DBOS_POOL_STATE) != DBOS_POOL_MARKED)
		return;
	else if (word & DBOS_POOL_DIRTY)
		batch->dirty[batch->dirty_count++] = frame;
	else if (lock_victim(tabby, frame, word))
		batch->victims[batch->victim_count++] = frame;
}

static void turn(struct tabby *tabby, struct batch *batch)
{
	uint64_t places = tabby->kind->places(tabby);

	/* Once to mark, once to take. */
	for (uint64_t i = 0; i < 2 * places; i++) {
		uint64_t place = machine_add(&tabby->hand, 1) % places;
		uint64_t frame = tabby->kind->at(tabby, place);

		if (frame != TABBY_NONE)
			look_at(tabby, batch, frame);
		if (batch->victim_count + batch->dirty_count >= tabby->batch)
			break;
	}
}

/* Pins what is dirty and unlocked, to be written; and calls it clean, before that is true. */
static bool begin_write(struct tabby *tabby, uint64_t frame)
{
	uint64_t word, state;

	for (;;) {
		word = tabby_word(tabby, frame);
		state = word & DBOS_POOL_STATE;
		if (state == DBOS_POOL_MARKED)
			state = 0;
		if (!(word & DBOS_POOL_DIRTY) || !tabby_name(tabby, frame) ||
		    state + 1 >= DBOS_POOL_MARKED)
			return false;
		if (tabby_swap(tabby, frame, word,
			       (word & ~(DBOS_POOL_STATE | DBOS_POOL_DIRTY)) | (state + 1)))
			return true;
		machine_pause();
	}
}

int tabby_write_back(struct tabby *tabby, const uint64_t *frames, size_t count)
{
	struct dbos_pool_transfer transfers[TABBY_BATCH];
	uint64_t *writing = &tabby->writing[machine_load(&tabby->turn) % 2];
	uint64_t pinned[TABBY_BATCH];
	size_t begun = 0;
	int ret = 0;

	machine_add(writing, 1);
	for (size_t i = 0; i < count; i++) {
		if (!begin_write(tabby, frames[i]))
			continue;
		transfers[begun] = (struct dbos_pool_transfer){
			.page = tabby_name(tabby, frames[i]) - 1,
			.memory = tabby_memory(tabby, frames[i]), .write = true,
		};
		pinned[begun++] = frames[i];
	}
	if (begun)
		tabby_write(tabby, transfers, begun);
	for (size_t i = 0; i < begun; i++) {
		int result = transfers[i].result;

		tabby_unpin_shared(tabby, pinned[i], result ? DBOS_POOL_DIRTY : 0);
		if (result) {
			machine_add(&tabby->write_errors, 1);
			ret = ret ? ret : result;
		}
	}
	machine_add(writing, -1);
	return ret;
}

/* One that was written and is marked again is a victim for another time. */
static void take_written(struct tabby *tabby, struct batch *batch)
{
	for (size_t i = 0; i < batch->dirty_count; i++) {
		uint64_t frame = batch->dirty[i], word = tabby_word(tabby, frame);

		if (tabby_name(tabby, frame) && !(word & DBOS_POOL_STATE) &&
		    lock_victim(tabby, frame, word))
			batch->victims[batch->victim_count++] = frame;
	}
}

/* A batch, or what there is. One of them is the caller's, a free frame; or -errno. */
static int64_t evict(struct tabby *tabby)
{
	struct batch batch;
	int ret = 0;

	batch.victim_count = 0;
	batch.dirty_count = 0;
	turn(tabby, &batch);
	if (batch.dirty_count) {
		ret = tabby_write_back(tabby, batch.dirty, batch.dirty_count);
		take_written(tabby, &batch);
	}
	if (!batch.victim_count)
		return ret ? ret : -EAGAIN;
	tabby_count(&tabby_slot(tabby)->evictions, batch.victim_count);
	if (batch.victim_count > 1)
		tabby->kind->give(tabby, batch.victims + 1, batch.victim_count - 1);
	return tabby->kind->exchange(tabby, batch.victims[0]);
}

int64_t tabby_make_room(struct tabby *tabby)
{
	for (unsigned int tries = 0; tries < PATIENCE; tries++) {
		uint64_t frame = tabby->kind->take(tabby);
		int64_t ret;

		if (frame != TABBY_NONE)
			return frame;
		ret = evict(tabby);
		if (ret != -EAGAIN)
			return ret;
		machine_pause();
	}
	return -ENOBUFS;
}
