// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages by the host kernel: each has its address in the process's memory, and its frame's number is
 * its own. What is free is a count; a victim's memory goes back by MADV_DONTNEED, for which the
 * kernel interrupts all processors that the process runs on. The published design of this kind is
 * vmcache (Leis et al., SIGMOD 2023).
 */
#include <sys/mman.h>

#include "tabby/hash.h"
#include "tabby/tabby.h"

/* In the set of resident pages: page + 1. */
#define EMPTY 0
#define GONE  (~0ull)

static void insert(struct tabby *tabby, uint64_t page)
{
	for (uint64_t i = tabby_mix(page);; i++) {
		uint64_t *place = &tabby->resident[i & tabby->resident_mask];
		uint64_t old = machine_load(place);

		if ((old == EMPTY || old == GONE) && machine_cas(place, &old, page + 1))
			return;
	}
}

/* It is there. */
static void erase(struct tabby *tabby, uint64_t page)
{
	uint64_t i = tabby_mix(page);

	while (machine_load(&tabby->resident[i & tabby->resident_mask]) != page + 1)
		i++;
	machine_store(&tabby->resident[i & tabby->resident_mask], GONE);
}

static uint64_t look_up(struct tabby *tabby, uint64_t page)
{
	return tabby_name(tabby, page) ? page : TABBY_NONE;
}

/* A right to have one page more; which is settled by who enters it. */
static uint64_t take(struct tabby *tabby)
{
	uint64_t count = machine_load(&tabby->resident_count);

	while (count < machine_load(&tabby->limit)) {
		if (machine_cas(&tabby->resident_count, &count, count + 1))
			return 0;
	}
	return TABBY_NONE;
}

/* A page that is nobody's is unlocked; who wants to be the one who loads it locks it. */
static int enter(struct tabby *tabby, uint64_t page, uint64_t *frame)
{
	*frame = page;
	for (;;) {
		uint64_t word = tabby_word(tabby, page);

		if (tabby_name(tabby, page)) {
			machine_add(&tabby->resident_count, -1);
			return 0;
		}
		if (!(word & DBOS_POOL_STATE) &&
		    tabby_swap(tabby, page, word, word | DBOS_POOL_LOCKED))
			break;
		machine_pause();
	}
	machine_store(&tabby->pool.frame[page].name, page + 1);
	insert(tabby, page);
	return 1;
}

static void remove(struct tabby *tabby, uint64_t frame)
{
	erase(tabby, frame);
	machine_store(&tabby->pool.frame[frame].name, 0);
}

static void release(struct tabby *tabby, uint64_t frame)
{
	madvise(tabby_memory(tabby, frame), DBOS_PAGE_SIZE, MADV_DONTNEED);
	tabby_publish(tabby, frame, 0);
}

static void give(struct tabby *tabby, const uint64_t *victims, size_t count)
{
	for (size_t i = 0; i < count; i++)
		release(tabby, victims[i]);
	machine_add(&tabby->resident_count, -(uint64_t)count);
}

static uint64_t exchange(struct tabby *tabby, uint64_t victim)
{
	release(tabby, victim);
	return 0;
}

static uint64_t places(const struct tabby *tabby)
{
	return tabby->resident_mask + 1;
}

static uint64_t at(const struct tabby *tabby, uint64_t place)
{
	uint64_t name = machine_load(&tabby->resident[place]);

	return name == EMPTY || name == GONE ? TABBY_NONE : name - 1;
}

static int resize(struct tabby *tabby, uint64_t frames)
{
	uint64_t before = tabby->limit;

	machine_store(&tabby->limit, frames);
	while (machine_load(&tabby->resident_count) > frames) {
		int64_t right = tabby_make_room(tabby);

		if (right < 0) {
			machine_store(&tabby->limit, before);
			return right;
		}
		machine_add(&tabby->resident_count, -1);
	}
	return 0;
}

const struct tabby_kind tabby_madvise = {
	.look_up = look_up,
	.enter = enter,
	.remove = remove,
	.take = take,
	.give = give,
	.exchange = exchange,
	.places = places,
	.at = at,
	.resize = resize,
};
