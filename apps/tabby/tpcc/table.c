// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "tpcc/tpcc.h"

struct number_key numbers(uint32_t count, ...)
{
	struct number_key key = { .count = count };
	va_list arguments;

	va_start(arguments, count);
	for (uint32_t i = 0; i < count; i++)
		key.part[i] = __builtin_bswap32(va_arg(arguments, uint32_t));
	va_end(arguments);
	return key;
}

static struct key bytes(const struct number_key *key)
{
	return (struct key){ key->part, key->count * sizeof(uint32_t) };
}

uint32_t key_number(struct key key, unsigned int i)
{
	uint32_t number;

	memcpy(&number, (const char *)key.bytes + i * sizeof(number), sizeof(number));
	return __builtin_bswap32(number);
}

bool key_begins(struct key key, const struct number_key *with, unsigned int count)
{
	size_t length = count * sizeof(uint32_t);

	return key.length >= length && !memcmp(key.bytes, with->part, length);
}

static const struct store_engine *engine(const struct worker *worker)
{
	return worker->run->store->engine;
}

int tpcc_insert(struct worker *worker, enum table table, const struct number_key *key,
		const void *record, size_t size)
{
	return engine(worker)->insert(worker->session, table, bytes(key), record, size);
}

int tpcc_get(struct worker *worker, enum table table, const struct number_key *key, void *record,
	     size_t size)
{
	int found = engine(worker)->lookup(worker->session, table, bytes(key), record, size);

	if (found < 0)
		return found;
	return (size_t)found == size ? 0 : -EILSEQ;
}

int tpcc_change(struct worker *worker, enum table table, const struct number_key *key,
		tree_change_fn change, void *arg)
{
	return engine(worker)->change(worker->session, table, bytes(key), change, arg);
}

int tpcc_delete(struct worker *worker, enum table table, const struct number_key *key)
{
	return engine(worker)->remove(worker->session, table, bytes(key));
}

int tpcc_scan(struct worker *worker, enum table table, const struct number_key *key, bool down,
	      store_visit_fn visit, void *arg)
{
	return engine(worker)->scan(worker->session, table, bytes(key), down, visit, arg);
}
