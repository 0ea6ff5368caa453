/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inline functions of <dbos/pool.h>, compiled so that their loads and compare-and-swaps are the
 * model's (hv/model/plain.c).
 */
#ifndef POOL_USER_H
#define POOL_USER_H

#include <dbos/pool.h>

int pool_user_read(struct dbos_pool *pool, uint64_t page, struct dbos_pool_read *read);
bool pool_user_valid(const struct dbos_pool *pool, const struct dbos_pool_read *read);
bool pool_user_upgrade(struct dbos_pool *pool, const struct dbos_pool_read *read,
		       struct dbos_pin *pin);

#endif /* POOL_USER_H */
