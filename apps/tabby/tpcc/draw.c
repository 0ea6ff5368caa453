// SPDX-License-Identifier: BSD-2-Clause
/* What is drawn at random: clauses 2.1.6 and 4.3.2. */
#include <string.h>

#include "tpcc/tpcc.h"

uint32_t tpcc_uniform(struct worker *worker, uint32_t from, uint32_t to)
{
	return from + random_below(&worker->random, to - from + 1);
}

/* NURand(A, from, to). */
static uint32_t not_uniform(struct worker *worker, uint32_t a, uint32_t c, uint32_t from,
			    uint32_t to)
{
	uint32_t either = tpcc_uniform(worker, 0, a) | tpcc_uniform(worker, from, to);

	return (either + c) % (to - from + 1) + from;
}

uint32_t tpcc_customer(struct worker *worker)
{
	const struct tpcc *tpcc = tpcc_of(worker);

	return not_uniform(worker, tpcc->customer_or, tpcc->customer_c, 1, tpcc->customers);
}

uint32_t tpcc_item(struct worker *worker)
{
	const struct tpcc *tpcc = tpcc_of(worker);

	return not_uniform(worker, tpcc->item_or, tpcc->item_c, 1, tpcc->items);
}

void tpcc_name_of(uint32_t number, char *name)
{
	static const char syllable[10][6] = {
		"BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING",
	};

	memset(name, 0, NAME_SIZE);
	strcat(name, syllable[number / 100 % 10]);
	strcat(name, syllable[number / 10 % 10]);
	strcat(name, syllable[number % 10]);
}

void tpcc_last_name(struct worker *worker, char *name)
{
	const struct tpcc *tpcc = tpcc_of(worker);

	tpcc_name_of(not_uniform(worker, tpcc->name_or, tpcc->name_c, 0, tpcc->names - 1), name);
}

uint32_t tpcc_home(struct worker *worker)
{
	uint32_t warehouses = tpcc_of(worker)->warehouses;
	uint32_t threads = worker->run->options->threads;
	uint32_t own = (warehouses + threads - 1 - worker->index) / threads;

	if (!own)
		return worker->index % warehouses + 1;
	return tpcc_uniform(worker, 0, own - 1) * threads + worker->index + 1;
}

uint32_t tpcc_other(struct worker *worker, uint32_t home)
{
	uint32_t warehouses = tpcc_of(worker)->warehouses, other;

	if (warehouses == 1)
		return home;
	other = tpcc_uniform(worker, 1, warehouses - 1);
	return other < home ? other : other + 1;
}

void tpcc_text(struct worker *worker, char *text, size_t size)
{
	static const char letters[64] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -";
	uint64_t random = 0;

	for (size_t i = 0; i < size; i++, random >>= 6) {
		if (i % 10 == 0)
			random = random_next(&worker->random);
		text[i] = letters[random % 64];
	}
}

uint64_t tpcc_now(const struct worker *worker)
{
	return worker->operations + 1;
}
