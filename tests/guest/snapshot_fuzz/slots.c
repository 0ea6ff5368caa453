// SPDX-License-Identifier: BSD-2-Clause
/* The snapshots that there are, and what has to be in them. */
#include "fuzz.h"

static struct slot slots[SLOTS];

static bool try_take(struct slot *slot, bool alone)
{
	int users = load(slot->users);

	do {
		if (users < 0 || (alone && users))
			return false;
	} while (!__atomic_compare_exchange_n(&slot->users, &users, alone ? -1 : users + 1, false,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

void slot_give_back(struct slot *slot)
{
	int users = load(slot->users);

	while (!__atomic_compare_exchange_n(&slot->users, &users, users < 0 ? 0 : users - 1, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

struct slot *slot_take(struct worker *worker, bool full, bool alone)
{
	unsigned int first = draw(worker, SLOTS);

	for (unsigned int i = 0; i < SLOTS; i++) {
		struct slot *slot = &slots[(first + i) % SLOTS];

		if (!try_take(slot, alone))
			continue;
		if (!slot->snap == !full)
			return slot;
		slot_give_back(slot);
	}
	return NULL;
}

static uint64_t sum_of(const struct slot *slot)
{
	uint64_t seen[THREADS], sum = 0;

	for (unsigned int i = 0; i < WATCHED; i++) {
		check_ok(dbos_snap_read(slot->snap, watched(i), seen, sizeof(seen)));
		check(seen[slot->maker] == slot->wrote[i],
		      "word %u of thread %u's is %#lx in its snapshot, not %#lx", i, slot->maker,
		      seen[slot->maker], slot->wrote[i]);
		for (unsigned int k = 0; k < THREADS; k++)
			sum = sum * 31 + seen[k];
	}
	return sum;
}

void slot_fill(struct slot *slot, const struct worker *maker)
{
	slot->maker = maker->number;
	memcpy(slot->wrote, maker->wrote, sizeof(slot->wrote));
	slot->sum = sum_of(slot);
}

void slot_examine(const struct slot *slot)
{
	check(sum_of(slot) == slot->sum, "a snapshot of thread %u's has changed", slot->maker);
}
