// SPDX-License-Identifier: BSD-2-Clause
/*
 * The cut. All vCPUs are parked or kept in the host, so between two of their instructions; what
 * their processors remember of the page table is flushed before they run on.
 */
#include <errno.h>
#include <string.h>

#include "snappy/engine.h"
#include "snappy/keep.h"
#include "snappy/live.h"

/*
 * Entries of nothing are copied as such. In a run that is kept each has a leaf table of its own: to
 * what is not taken from the process a write must never fault, since the memory in which a fault
 * is handled may be there: our frames', our locks', stacks.
 */
static int share_run(struct snappy *snappy, const struct engine *engine,
		     const struct branch *parent, const struct branch *child,
		     const struct member *run)
{
	uint64_t *entry = NULL, *childs = NULL, had;

	if (run->kept)
		engine = &epoch_engine;
	for (uint64_t va = run->va; va < run->end; va += SNAPPY_RANGE) {
		entry = snappy_next_pde(snappy, parent, va, entry);
		childs = snappy_next_pde(snappy, child, va, childs);
		had = *childs;
		*childs = 0;
		if (!(machine_load(entry) & DBOS_PTE_P))
			continue;
		*childs = engine->share(snappy, entry, had, va);
		if (!*childs)
			return -ENOMEM;
	}
	snappy->counters.entries += (run->end - run->va) / SNAPPY_RANGE;
	return 0;
}

static int share(struct snappy *snappy, const struct engine *engine, const struct branch *parent,
		 const struct branch *child)
{
	int ret = 0;

	for (uint64_t i = 0; !ret && i < snappy->run_count; i++)
		ret = share_run(snappy, engine, parent, child, &snappy->run[i]);
	return ret;
}

/* From here on the child is one, also if that is undone. */
static int cut(struct snappy *snappy, const struct engine *engine, struct branch *parent,
	       struct branch *child)
{
	int ret;

	child->epoch = snappy->epoch;
	child->all_held = &snappy->counters.held;
	live_add(snappy, child);
	machine_add(&snappy->counters.lazy_flushes, 1);
	child->shares = engine->shares;
	ret = share(snappy, engine, parent, child);
	machine_store(&snappy->epoch, child->epoch + 1);
	branch_insert(parent, child);
	if (!ret)
		ret = keep_written_pages(snappy, parent, child);
	if (!ret)
		ret = keep_members(snappy, parent, child);
	/* Undone while the parent stands still: it must not copy what could not be kept. */
	snappy->counters.created++;
	if (ret)
		snappy_undo(snappy, child);
	/* Who is parked flushes before it goes on, who is in the host before it comes back. */
	tlb_flush(snappy->cpus, 0, TLB_ALL_PAGES, TLB_LAZY);
	return ret;
}

/* If no table is ready, this cut is one of the engine that makes it then. */
static const struct engine *engine_of(struct snappy *snappy, const struct branch *parent)
{
	if (snappy->engine != &instant_engine ||
	    (parent == &snappy->own && ready_full(snappy)))
		return snappy->engine;
	snappy->counters.unready++;
	return &epoch_engine;
}

/*
 * Outside of members the child has the parent's tables, which must not collapse any more: that is
 * said first (table->copies), and whoever was at it is through when the world stands still.
 */
static int create(struct snappy *snappy, struct branch *parent, struct branch *child)
{
	const struct engine *engine = engine_of(snappy, parent);
	int ret;

	machine_add(&snappy->branches, 1);
	ret = world_stop(snappy->cpus);
	if (ret)
		goto out;
	ret = engine->make_root(snappy, parent, child);
	if (ret) {
		world_start(snappy->cpus);
		goto out;
	}
	ret = cut(snappy, engine, parent, child);
	world_start(snappy->cpus);
	return ret;

out:
	machine_add(&snappy->branches, -1ull);
	return ret;
}

/* Each attempt that fails leaves one snapshot less, or is the last. */
int snappy_create(struct snappy *snappy, struct branch *parent, struct branch *child)
{
	int ret = create(snappy, parent, child);

	while (ret == -ENOMEM && snappy->drops && snappy_drop_oldest(snappy, parent)) {
		memset(child, 0, sizeof(*child));
		ret = create(snappy, parent, child);
	}
	return ret;
}
