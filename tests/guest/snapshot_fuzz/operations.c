// SPDX-License-Identifier: BSD-2-Clause
/* What threads do to members and snapshots. */
#include <errno.h>

#include "engines.h"
#include "fuzz.h"

static const struct engine *any_engine(struct worker *worker)
{
	return &engines[draw(worker, ENGINES)];
}

/* A thread outside does not have the members at their addresses. */
static bool write_words(struct worker *worker)
{
	if (!worker->inside)
		return false;
	for (unsigned int n = 1 + draw(worker, 8); n > 0; n--) {
		unsigned int i = draw(worker, WATCHED);

		check(watched(i)[worker->number] == worker->wrote[i], "it has %#lx, not %#lx",
		      watched(i)[worker->number], worker->wrote[i]);
		worker->wrote[i] = worker->state;
		watched(i)[worker->number] = worker->state;
	}
	return true;
}

static bool create(struct worker *worker)
{
	struct slot *slot = slot_take(worker, false, true);

	if (!slot)
		return false;
	check_ok(engine_create(any_engine(worker), dbos, &slot->snap));
	slot_fill(slot, worker);
	slot_give_back(slot);
	return true;
}

static bool make_child(struct worker *worker)
{
	struct slot *parent = slot_take(worker, true, false), *child;

	if (!parent)
		return false;
	child = slot_take(worker, false, true);
	if (child) {
		check_ok(dbos_snap_child(parent->snap, any_engine(worker)->flags, &child->snap));
		child->maker = parent->maker;
		child->sum = parent->sum;
		memcpy(child->wrote, parent->wrote, sizeof(child->wrote));
		slot_examine(child);
		slot_give_back(child);
	}
	slot_give_back(parent);
	return child;
}

static bool release(struct worker *worker)
{
	struct slot *slot = slot_take(worker, true, true);

	if (!slot)
		return false;
	slot_examine(slot);
	check_ok(dbos_snap_release(slot->snap));
	slot->snap = NULL;
	slot_give_back(slot);
	return true;
}

/* What is written there is its own (S2), what is no member is there as for all. */
static void visit(struct worker *worker, const struct slot *slot)
{
	for (unsigned int i = 0; i < WATCHED; i++) {
		uint64_t *word = &watched(i)[MARKS + worker->number];

		check(watched(i)[slot->maker] == slot->wrote[i], "word %u of thread %u's is %#lx",
		      i, slot->maker, watched(i)[slot->maker]);
		if (draw(worker, 4))
			continue;
		*word = worker->state;
		check(*word == worker->state, "a write on a snapshot is lost");
	}
	for (size_t at = 0; at < worker->size; at += PAGE)
		check(worker->grown[at] == (char)(at / PAGE), "other memory is not the same");
}

static bool attach(struct worker *worker)
{
	struct slot *slot = worker->inside ? slot_take(worker, true, false) : NULL;

	if (!slot)
		return false;
	check_ok(dbos_snap_attach(slot->snap));
	visit(worker, slot);
	check(dbos_snap_release(slot->snap) == -EBUSY, "released with somebody on it");
	check_ok(dbos_snap_detach(dbos));
	for (unsigned int i = 0; i < WATCHED; i++)
		check(!watched(i)[MARKS + worker->number], "a snapshot's write is seen");
	slot_give_back(slot);
	return true;
}

static bool read_it(struct worker *worker)
{
	struct slot *slot = slot_take(worker, true, false);

	if (!slot)
		return false;
	slot_examine(slot);
	slot_give_back(slot);
	return true;
}

static int mark(void *arg, const void *va, size_t length)
{
	bool *differs = arg;
	unsigned long first = ((uintptr_t)va - (uintptr_t)pages) / PAGE;

	memset(&differs[first], true, length / PAGE);
	return 0;
}

/* S14: what differs is found. */
static bool compare(struct worker *worker)
{
	struct slot *a = slot_take(worker, true, false), *b = slot_take(worker, true, false);
	bool differs[PAGES] = { false };
	uint64_t in_a[THREADS], in_b[THREADS];

	if (a && b)
		check_ok(dbos_snap_diff(a->snap, b->snap, mark, differs));
	for (unsigned int i = 0; a && b && i < WATCHED; i++) {
		check_ok(dbos_snap_read(a->snap, watched(i), in_a, sizeof(in_a)));
		check_ok(dbos_snap_read(b->snap, watched(i), in_b, sizeof(in_b)));
		check(differs[i * (PAGES / WATCHED)] || memcmp(in_a, in_b, sizeof(in_a)) == 0,
		      "a difference in page %lu is not found", i * (PAGES / WATCHED));
	}
	if (a)
		slot_give_back(a);
	if (b)
		slot_give_back(b);
	return a && b;
}

const struct operation operations[] = {
	{ "write", write_words, 12 },
	{ "create", create, 6 },
	{ "child", make_child, 4 },
	{ "release", release, 8 },
	{ "attach", attach, 6 },
	{ "read", read_it, 3 },
	{ "diff", compare, 2 },
	{ "region", make_region, 2 },
	{ "grow", grow_region, 2 },
	{ "enter", enter_or_leave, 2 },
	{ "thread", make_thread, 1 },
};

const unsigned int operation_count = sizeof(operations) / sizeof(operations[0]);
