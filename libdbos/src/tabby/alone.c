// SPDX-License-Identifier: BSD-2-Clause
#include "tabby/tabby.h"

void tabby_begin_alone(struct tabby *tabby)
{
	uint64_t nobody = 0;

	while (!machine_cas(&tabby->alone, &nobody, 1)) {
		nobody = 0;
		machine_pause();
	}
}

void tabby_end_alone(struct tabby *tabby)
{
	machine_store(&tabby->alone, 0);
}

int dbos_pool_resize(struct dbos_pool *pool, uint64_t frames)
{
	struct tabby *tabby = tabby_of(pool);
	int ret;

	if (frames < TABBY_LEAST || frames > tabby->limit_max)
		return -EINVAL;
	tabby_begin_alone(tabby);
	ret = tabby->kind->resize(tabby, frames);
	tabby_end_alone(tabby);
	return ret;
}
