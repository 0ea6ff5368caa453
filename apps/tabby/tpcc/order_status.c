// SPDX-License-Identifier: BSD-2-Clause
/* Order-Status: clause 2.6. */
#include <errno.h>
#include <string.h>

#include "tpcc/tpcc.h"

/* What a scan is to find: the number behind the prefix, or how many entries have it. */
struct search {
	struct number_key prefix;
	uint32_t found;
};

static bool note_order(void *arg, struct key key, const void *value, size_t size)
{
	struct search *search = arg;

	(void)value;
	(void)size;
	if (key_begins(key, &search->prefix, 3))
		search->found = key_number(key, 3);
	return false;
}

static bool count_line(void *arg, struct key key, const void *value, size_t size)
{
	struct search *search = arg;

	(void)value;
	if (!key_begins(key, &search->prefix, 3) || size != sizeof(struct order_line))
		return false;
	search->found++;
	return true;
}

/* The last order, and all of its lines, of which there are as many as it says. */
static int read_order(struct worker *worker, uint32_t w, uint32_t d, uint32_t c)
{
	struct number_key last = numbers(4, w, d, c, UINT32_MAX), key;
	struct search search = { .prefix = last }, lines = { .found = 0 };
	struct order order;
	int err = tpcc_scan(worker, ORDER_CUSTOMER, &last, true, note_order, &search);

	if (err)
		return err;
	if (!search.found)
		return -ENOENT;
	key = lines.prefix = numbers(3, w, d, search.found);
	err = tpcc_get(worker, ORDER, &key, &order, sizeof(order));
	if (!err)
		err = tpcc_scan(worker, ORDER_LINE, &key, false, count_line, &lines);
	if (err)
		return err;
	return order.customer == c && lines.found == order.lines ? 0 : -EILSEQ;
}

static int run(struct worker *worker, uint32_t w, uint32_t d)
{
	struct number_key key;
	struct customer customer;
	uint32_t number;
	int err = tpcc_draw_customer(worker, w, d, &number);

	if (err)
		return err;
	key = numbers(3, w, d, number);
	err = tpcc_get(worker, CUSTOMER, &key, &customer, sizeof(customer));
	return err ? err : read_order(worker, w, d, number);
}

int tpcc_order_status(struct worker *worker)
{
	struct warehouses warehouses = { .count = 0 };
	uint32_t w = tpcc_home(worker), d = tpcc_uniform(worker, 1, DISTRICTS);
	int err;

	warehouses_add(&warehouses, w);
	err = tpcc_begin(worker, &warehouses, false);
	if (err)
		return err;
	err = run(worker, w, d);
	worker->detail[ORDER_STATUSES] += !err;
	return tpcc_end(worker, &warehouses, err);
}
