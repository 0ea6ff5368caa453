// SPDX-License-Identifier: BSD-2-Clause
/*
 * Free frames, in a list for each slot. Who evicts a batch keeps what he needs at once and puts the
 * rest into his own list: with one for all, others could take what he has just made, for ever. Who
 * has none takes from others before he evicts.
 */
#include "tabby/tabby.h"

static uint64_t pop(struct tabby *tabby, struct tabby_slot *slot)
{
	uint64_t irqs, frame = TABBY_NONE;

	if (!machine_load(&slot->free_count))
		return TABBY_NONE;
	irqs = spin_lock(&slot->lock);
	if (slot->free) {
		frame = slot->free - 1;
		slot->free = tabby->next[frame];
		machine_store(&slot->free_count, slot->free_count - 1);
	}
	spin_unlock(&slot->lock, irqs);
	return frame;
}

static void push(struct tabby *tabby, struct tabby_slot *slot, const uint64_t *frames,
		 size_t count)
{
	uint64_t irqs = spin_lock(&slot->lock);

	for (size_t i = 0; i < count; i++) {
		tabby->next[frames[i]] = slot->free;
		slot->free = frames[i] + 1;
	}
	machine_store(&slot->free_count, slot->free_count + count);
	spin_unlock(&slot->lock, irqs);
}

uint64_t tabby_take(struct tabby *tabby)
{
	struct tabby_slot *own = tabby_slot(tabby);
	uint64_t frame = pop(tabby, own);

	for (unsigned int i = 0; frame == TABBY_NONE && i < TABBY_SLOTS; i++)
		frame = pop(tabby, &tabby->slot[i]);
	return frame;
}

void tabby_give(struct tabby *tabby, const uint64_t *frames, size_t count)
{
	push(tabby, tabby_slot(tabby), frames, count);
}

uint64_t tabby_exchange(struct tabby *tabby, uint64_t victim)
{
	(void)tabby;
	return victim;
}

uint64_t tabby_places(const struct tabby *tabby)
{
	return machine_load(&tabby->limit);
}

uint64_t tabby_at(const struct tabby *tabby, uint64_t place)
{
	(void)tabby;
	return place;
}

static uint64_t drop_from(struct tabby *tabby, struct tabby_slot *slot, uint64_t from)
{
	uint64_t irqs = spin_lock(&slot->lock), next = slot->free, dropped = 0;

	slot->free = 0;
	while (next) {
		uint64_t frame = next - 1;

		next = tabby->next[frame];
		if (frame >= from) {
			tabby->next[frame] = TABBY_DROPPED;
			dropped++;
			continue;
		}
		tabby->next[frame] = slot->free;
		slot->free = frame + 1;
	}
	machine_store(&slot->free_count, slot->free_count - dropped);
	spin_unlock(&slot->lock, irqs);
	return dropped;
}

uint64_t tabby_drop_free(struct tabby *tabby, uint64_t from)
{
	uint64_t dropped = 0;

	for (unsigned int i = 0; i < TABBY_SLOTS; i++)
		dropped += drop_from(tabby, &tabby->slot[i], from);
	return dropped;
}
