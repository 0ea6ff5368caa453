// SPDX-License-Identifier: BSD-2-Clause
/*
 * The engine "instant" (paper, 4.2): the child takes a table that is ready (ready.h). W is taken
 * from the parent one level above its leaf tables, as by "lazy"; but these stay the parent's alone,
 * so its writers copy none: they take what W is in them, 2 MiB at a time, when they come by.
 *
 * The paper switches the process to another ready table, for it has no right to write there. To
 * clear W in the page directories does the same, without a second table and without another CR3.
 */
#include "snappy/engine.h"

static int take_ready(struct snappy *snappy, const struct branch *parent, struct branch *child)
{
	struct ready *ready = ready_full(snappy);

	(void)parent;
	child->table = ready->branch.table;
	child->tables = ready->branch.tables;
	snappy_refresh_root(snappy, child);
	machine_store(&ready->state, READY_NONE);
	machine_add(&snappy->ready_count, -1ull);
	machine_add(&snappy->branches, -1ull);
	return 0;
}

static uint64_t instant_share(struct snappy *snappy, uint64_t *entry, uint64_t childs,
			      uint64_t range)
{
	lazy_engine.share(snappy, entry, childs, range);
	return childs;
}

const struct engine instant_engine = {
	.name = "instant", .make_root = take_ready, .share = instant_share,
};
