/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tree should have: a fixed set of keys, in order, each with the version of its value or
 * nothing. Their lengths go from 0 to 64, and many begin with the same four bytes and more.
 */
#ifndef TABBY_TEST_ORACLE_H
#define TABBY_TEST_ORACLE_H

#include "tree/tree.h"

struct oracle {
	struct key_copy *key;	/* in order: a key's rank is its index here */
	uint64_t *version;	/* 0: not in the tree */
	unsigned int count;
};

/* Ends the program, with a sentence. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

struct oracle oracle_make(unsigned int count);
void oracle_free(struct oracle *oracle);

/* A key's rank; fails if it is none. */
unsigned int oracle_rank(const struct oracle *oracle, struct key key);

/* The value of @version, which is its first eight bytes; the others follow from it and the rank. */
size_t oracle_value(unsigned int rank, uint64_t version, char *value);

/* Fails if it is no value of that key. Returns its version. */
uint64_t oracle_check(unsigned int rank, const void *value, size_t size);

/* The tree has what it should, seen from both ends. */
void oracle_compare(const struct oracle *oracle, struct tree *tree);

/* xorshift64*: the same for the same seed, which is not 0. */
uint64_t next_random(uint64_t *state);

#endif /* TABBY_TEST_ORACLE_H */
