// SPDX-License-Identifier: BSD-2-Clause
/* Stock-Level: clause 2.8. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tpcc/tpcc.h"

#define ORDERS 20

/* The items of the last orders' lines. */
struct items {
	struct number_key prefix;
	unsigned int count;
	uint32_t item[ORDERS * LINES_MAX];
};

static bool note_item(void *arg, struct key key, const void *value, size_t size)
{
	struct items *items = arg;
	struct order_line line;

	if (!key_begins(key, &items->prefix, 2) || size != sizeof(line) ||
	    items->count == ORDERS * LINES_MAX)
		return false;
	memcpy(&line, value, sizeof(line));
	items->item[items->count++] = line.item;
	return true;
}

static int order(const void *left, const void *right)
{
	uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;

	return l < r ? -1 : l > r;
}

/* Each item once. */
static int count_low(struct worker *worker, uint32_t w, struct items *items, int32_t threshold,
		     unsigned int *low)
{
	qsort(items->item, items->count, sizeof(items->item[0]), order);
	for (unsigned int i = 0; i < items->count; i++) {
		struct number_key key = numbers(2, w, items->item[i]);
		struct stock stock;
		int err;

		if (i && items->item[i] == items->item[i - 1])
			continue;
		err = tpcc_get(worker, STOCK, &key, &stock, sizeof(stock));
		if (err)
			return err;
		*low += stock.quantity < threshold;
	}
	return 0;
}

static int run(struct worker *worker, uint32_t w, uint32_t d, int32_t threshold)
{
	struct number_key key = numbers(2, w, d), from;
	struct items items = { .prefix = key };
	struct district district;
	unsigned int low = 0;
	int err = tpcc_get(worker, DISTRICT, &key, &district, sizeof(district));

	if (err)
		return err;
	from = numbers(3, w, d, district.next_order > ORDERS ? district.next_order - ORDERS : 1);
	err = tpcc_scan(worker, ORDER_LINE, &from, false, note_item, &items);
	return err ? err : count_low(worker, w, &items, threshold, &low);
}

int tpcc_stock_level(struct worker *worker)
{
	struct warehouses warehouses = { .count = 0 };
	uint32_t w = tpcc_home(worker), d = tpcc_uniform(worker, 1, DISTRICTS);
	int32_t threshold = tpcc_uniform(worker, 10, 20);
	int err;

	warehouses_add(&warehouses, w);
	err = tpcc_begin(worker, &warehouses, false);
	if (err)
		return err;
	err = run(worker, w, d, threshold);
	worker->detail[STOCK_LEVELS] += !err;
	return tpcc_end(worker, &warehouses, err);
}
