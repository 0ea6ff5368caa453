// SPDX-License-Identifier: BSD-2-Clause
/* Pins, and the long way to a page: see tabby.h for the order of things. */
#include "tabby/tabby.h"

enum outcome { DONE, BUSY, GONE };

/* What the word becomes if that is granted; 0: it is not, now. (No word of a page's is 0.) */
static uint64_t granted(uint64_t word, enum tabby_want want)
{
	uint64_t state = word & DBOS_POOL_STATE, rest = word & ~DBOS_POOL_STATE;

	if (state == DBOS_POOL_MARKED)
		state = 0;
	if (state == DBOS_POOL_LOCKED)
		return 0;
	switch (want) {
	case TABBY_READ:
		return rest | state;
	case TABBY_SHARE:
		return state + 1 < DBOS_POOL_MARKED ? rest | (state + 1) : 0;
	default:
		return state ? 0 : rest | DBOS_POOL_LOCKED;
	}
}

/*
 * The name is read behind the word, and the word has not changed since: so both were true at once.
 */
static enum outcome attempt(struct tabby *tabby, uint64_t page, uint64_t frame,
			    enum tabby_want want)
{
	uint64_t old = tabby_word(tabby, frame), word;

	if (tabby_name(tabby, frame) != page + 1)
		return GONE;
	word = granted(old, want);
	if (!word)
		return BUSY;
	return word == old || tabby_swap(tabby, frame, old, word) ? DONE : BUSY;
}

/* Of who has loaded it: nobody comes in between. */
static uint64_t first_state(enum tabby_want want)
{
	switch (want) {
	case TABBY_READ:
		return 0;
	case TABBY_SHARE:
		return 1;
	default:
		return DBOS_POOL_LOCKED;
	}
}

static int fill(struct tabby *tabby, uint64_t page, uint64_t frame)
{
	struct dbos_pool_transfer transfer = {
		.page = page, .memory = tabby_memory(tabby, frame),
	};

	tabby_read(tabby, &transfer, 1);
	return transfer.result;
}

/* Of a free frame of the caller's, which others may have been faster to need: see kind->enter(). */
static int enter(struct tabby *tabby, uint64_t page, enum tabby_want want, uint64_t *frame)
{
	int ret = tabby->kind->enter(tabby, page, frame);
	uint64_t mine = *frame;

	if (ret <= 0)
		return ret;
	ret = want == TABBY_NEW ? 0 : fill(tabby, page, mine);
	/* Devices store what was there when it was written. */
	((struct tabby_header *)tabby_memory(tabby, mine))->frame = mine;
	if (ret) {
		tabby->kind->remove(tabby, mine);
		tabby->kind->give(tabby, &mine, 1);
		return ret;
	}
	tabby_publish(tabby, mine, first_state(want));
	return 1;
}

int64_t tabby_get(struct tabby *tabby, uint64_t page, enum tabby_want want, uint64_t hint)
{
	uint64_t frame = hint;
	bool waits = false;

	for (;;) {
		enum outcome outcome = frame < tabby->pool.frames ?
				       attempt(tabby, page, frame, want) : GONE;
		int64_t ret;

		if (outcome == DONE)
			return frame;
		if (outcome == BUSY) {
			if (!waits)
				tabby_count(&tabby_slot(tabby)->waits, 1);
			waits = true;
			machine_pause();
			continue;
		}
		frame = tabby->kind->look_up(tabby, page);
		if (frame != TABBY_NONE)
			continue;
		ret = tabby_make_room(tabby);
		if (ret < 0)
			return ret;
		frame = ret;
		ret = enter(tabby, page, want, &frame);
		if (ret)
			return ret < 0 ? ret : (int64_t)frame;
	}
}

static bool exists(const struct tabby *tabby, uint64_t page)
{
	return page < machine_load(&tabby->page_count);
}

int64_t dbos_pool_miss(struct dbos_pool *pool, uint64_t page)
{
	struct tabby *tabby = tabby_of(pool);

	return exists(tabby, page) ? tabby_get(tabby, page, TABBY_READ, TABBY_NONE) : -ERANGE;
}

static int pin(struct dbos_pool *pool, uint64_t page, enum tabby_want want, struct dbos_pin *pin)
{
	struct tabby *tabby = tabby_of(pool);
	int64_t frame = -ERANGE;

	if (exists(tabby, page))
		frame = tabby_get(tabby, page, want, dbos_pool_hint(pool, page));
	if (frame < 0)
		return frame;
	*pin = (struct dbos_pin){
		.frame = frame, .page = page,
		.content = (char *)tabby_memory(tabby, frame) + DBOS_POOL_HEADER,
	};
	return 0;
}

int dbos_pool_pin(struct dbos_pool *pool, uint64_t page, struct dbos_pin *to)
{
	return pin(pool, page, TABBY_LOCK, to);
}

int dbos_pool_pin_shared(struct dbos_pool *pool, uint64_t page, struct dbos_pin *to)
{
	return pin(pool, page, TABBY_SHARE, to);
}

/* What was not changed has no new version: who reads it is not disturbed. */
void dbos_pool_unpin(struct dbos_pool *pool, struct dbos_pin *pin, bool dirty)
{
	struct tabby *tabby = tabby_of(pool);
	uint64_t word = tabby_word(tabby, pin->frame);

	if (dirty)
		tabby_publish(tabby, pin->frame, DBOS_POOL_DIRTY);
	else
		machine_store(&pool->frame[pin->frame].word, word & ~DBOS_POOL_STATE);
}

void dbos_pool_unpin_shared(struct dbos_pool *pool, struct dbos_pin *pin)
{
	tabby_unpin_shared(tabby_of(pool), pin->frame, 0);
}
