/* SPDX-License-Identifier: BSD-2-Clause */
/* Random operations on the tree, each compared with the oracle. */
#ifndef TABBY_TEST_STEPS_H
#define TABBY_TEST_STEPS_H

#include <pthread.h>

#include "test/device.h"
#include "test/oracle.h"

struct test {
	enum dbos_pool_kind kind;
	uint64_t seed;
	uint64_t frames;
	/* Steps for which inserting is more likely than removing, and then the other way round. */
	unsigned int tide;
	struct disk disk;
	struct tree tree;
	struct oracle oracle;
};

/* Who does steps: of the keys every @stride-th from @first on is his; nobody else changes it. */
struct walker {
	struct test *test;
	uint64_t random;
	unsigned int first, stride;
	bool may_fail;		/* with -EIO or -ENOSPC, and then nothing has changed */
	uint64_t failures, made;	/* steps */
	struct cursor cursor;
};

void steps(struct test *test, struct walker *walker, unsigned int count);

#endif /* TABBY_TEST_STEPS_H */
