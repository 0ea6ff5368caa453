// SPDX-License-Identifier: BSD-2-Clause
#include "pool_user.h"

int pool_user_read(struct dbos_pool *pool, uint64_t page, struct dbos_pool_read *read)
{
	return dbos_pool_read(pool, page, read);
}

bool pool_user_valid(const struct dbos_pool *pool, const struct dbos_pool_read *read)
{
	return dbos_pool_valid(pool, read);
}

bool pool_user_upgrade(struct dbos_pool *pool, const struct dbos_pool_read *read,
		       struct dbos_pin *pin)
{
	return dbos_pool_upgrade(pool, read, pin);
}
