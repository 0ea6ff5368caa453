// SPDX-License-Identifier: BSD-2-Clause
#include "tabby/tabby.h"

void dbos_pool_stats(const struct dbos_pool *pool, struct dbos_pool_stats *stats)
{
	const struct tabby *tabby = tabby_of(pool);

	*stats = (struct dbos_pool_stats){
		.pages = machine_load(&tabby->page_count),
		.frames = machine_load(&tabby->limit),
	};
	for (unsigned int i = 0; i < TABBY_SLOTS; i++) {
		const struct tabby_slot *slot = &tabby->slot[i];

		stats->free_frames += machine_load(&slot->free_count);
		stats->reads += machine_load(&slot->reads);
		stats->writes += machine_load(&slot->writes);
		stats->evictions += machine_load(&slot->evictions);
		stats->repairs += machine_load(&slot->repairs);
		stats->waits += machine_load(&slot->waits);
		stats->errors += machine_load(&slot->errors);
	}
	if (tabby->resident)
		stats->free_frames = stats->frames - machine_load(&tabby->resident_count);
}
