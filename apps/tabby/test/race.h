/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Included before all else of the tree's files as tabby-test compiles them: wherever others may
 * come in between, around a read and before a validation, the test may. Nothing is pinned then.
 */
#ifndef TABBY_TEST_RACE_H
#define TABBY_TEST_RACE_H

#include <dbos/pool.h>

/* Set by the test, or NULL. */
extern void (*race_hook)(void);

static inline void race_point(void)
{
	if (race_hook)
		race_hook();
}

static inline int race_read(struct dbos_pool *pool, uint64_t page, struct dbos_pool_read *read)
{
	int err;

	race_point();
	err = dbos_pool_read(pool, page, read);
	race_point();
	return err;
}

static inline bool race_valid(const struct dbos_pool *pool, const struct dbos_pool_read *read)
{
	race_point();
	return dbos_pool_valid(pool, read);
}

#define dbos_pool_read(pool, page, read) race_read(pool, page, read)
#define dbos_pool_valid(pool, read)	 race_valid(pool, read)

#endif /* TABBY_TEST_RACE_H */
