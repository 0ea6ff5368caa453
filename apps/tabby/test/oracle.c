// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/oracle.h"

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("FAILED: ", stderr);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static struct key_copy make_key(unsigned int n)
{
	struct key_copy key = { 0 };
	unsigned int big = __builtin_bswap32(n);

	if (n % 3 == 0) {
		key.length = snprintf(key.bytes, sizeof(key.bytes), "k%u", n);
	} else if (n % 3 == 1) {
		memset(key.bytes, 'p', n % 60);
		memcpy(key.bytes + n % 60, &big, sizeof(big));
		key.length = n % 60 + sizeof(big);
	} else if (n != 2) {
		memcpy(key.bytes, &big, sizeof(big));
		key.length = sizeof(big) + n % 57;
	}
	return key;
}

static int order(const void *left, const void *right)
{
	const struct key_copy *l = left, *r = right;
	int by_bytes = memcmp(l->bytes, r->bytes, l->length < r->length ? l->length : r->length);

	return by_bytes ? by_bytes : (int)l->length - (int)r->length;
}

struct oracle oracle_make(unsigned int count)
{
	struct oracle oracle = {
		.key = calloc(count, sizeof(struct key_copy)),
		.version = calloc(count, sizeof(uint64_t)),
		.count = count,
	};

	if (!oracle.key || !oracle.version)
		fail("no memory");
	for (unsigned int n = 0; n < count; n++)
		oracle.key[n] = make_key(n);
	qsort(oracle.key, count, sizeof(struct key_copy), order);
	for (unsigned int n = 1; n < count; n++) {
		if (order(&oracle.key[n - 1], &oracle.key[n]) >= 0)
			fail("keys %u and %u are the same", n - 1, n);
	}
	return oracle;
}

void oracle_free(struct oracle *oracle)
{
	free(oracle->key);
	free(oracle->version);
}

unsigned int oracle_rank(const struct oracle *oracle, struct key key)
{
	struct key_copy copy = { .length = key.length };
	const struct key_copy *found;

	if (key.length > NODE_KEY_MAX)
		fail("a key of %zu bytes", key.length);
	memcpy(copy.bytes, key.bytes, key.length);
	found = bsearch(&copy, oracle->key, oracle->count, sizeof(copy), order);
	if (!found)
		fail("a key of %zu bytes that nobody has inserted", key.length);
	return found - oracle->key;
}

size_t oracle_value(unsigned int rank, uint64_t version, char *value)
{
	uint64_t state = (rank + 1) * 0x9e3779b97f4a7c15ull;
	size_t size = sizeof(version) + next_random(&state) % (rank % 16 ? 160 : 993);

	state ^= version << 32;
	memcpy(value, &version, sizeof(version));
	for (size_t i = sizeof(version); i < size; i++)
		value[i] = next_random(&state) >> 56;
	return size;
}

uint64_t oracle_check(unsigned int rank, const void *value, size_t size)
{
	char expected[NODE_VALUE_MAX];
	uint64_t version = 0;
	size_t expected_size;

	if (size < sizeof(version))
		fail("the value of key %u has %zu bytes", rank, size);
	memcpy(&version, value, sizeof(version));
	expected_size = oracle_value(rank, version, expected);
	if (size != expected_size || memcmp(expected, value, size))
		fail("the value of key %u, version %lu, is damaged", rank, version);
	return version;
}

static void check_at(const struct oracle *oracle, const struct cursor *cursor, unsigned int rank)
{
	size_t size;
	const void *value = cursor_value(cursor, &size);
	unsigned int found = oracle_rank(oracle, cursor_key(cursor));

	if (found != rank)
		fail("key %u in place of %u", found, rank);
	if (oracle_check(rank, value, size) != oracle->version[rank])
		fail("key %u has another version than %lu", rank, oracle->version[rank]);
}

void oracle_compare(const struct oracle *oracle, struct tree *tree)
{
	struct key_copy greatest = { .length = NODE_KEY_MAX };
	static _Thread_local struct cursor cursor;
	int err = cursor_seek(&cursor, tree, (struct key){ "", 0 });

	for (unsigned int rank = 0; rank < oracle->count; rank++) {
		if (!oracle->version[rank])
			continue;
		if (err)
			fail("at key %u, forwards: %s", rank, strerror(-err));
		check_at(oracle, &cursor, rank);
		err = cursor_next(&cursor);
	}
	if (err != -ENOENT)
		fail("after the last key: %s", strerror(-err));
	memset(greatest.bytes, 0xff, sizeof(greatest.bytes));
	err = cursor_seek_back(&cursor, tree, key_of(&greatest));
	for (unsigned int rank = oracle->count; rank--;) {
		if (!oracle->version[rank])
			continue;
		if (err)
			fail("at key %u, backwards: %s", rank, strerror(-err));
		check_at(oracle, &cursor, rank);
		err = cursor_previous(&cursor);
	}
	if (err != -ENOENT)
		fail("before the first key: %s", strerror(-err));
}
