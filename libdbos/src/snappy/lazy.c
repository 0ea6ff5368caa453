// SPDX-License-Identifier: BSD-2-Clause
/*
 * The engine "lazy": parent and child share what is below the page directory. Neither may write
 * there, since W is clear in both entries, whatever is below. Who writes first copies the table.
 * That is one entry for each 2 MiB, and nothing where the parent has not written since the last.
 */
#include "snappy/engine.h"

static uint64_t lazy_share(struct snappy *snappy, uint64_t *entry, uint64_t childs,
			   uint64_t range)
{
	uint64_t old = machine_load(entry);

	(void)snappy;
	(void)childs;
	(void)range;
	while (old & DBOS_PTE_W && !machine_cas(entry, &old, old & ~DBOS_PTE_W))
		;
	return old & ~DBOS_PTE_W;
}

const struct engine lazy_engine = {
	.name = "lazy", .shares = true, .make_root = snappy_copy_root, .share = lazy_share,
};
