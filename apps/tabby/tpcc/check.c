// SPDX-License-Identifier: BSD-2-Clause
/* The consistency conditions 1 to 4 of clause 3.3.2, of each warehouse and district. */
#include <errno.h>
#include <string.h>

#include "tpcc/tpcc.h"

/* What a scan adds up, of the keys that begin as @prefix does. */
struct sums {
	struct number_key prefix;
	uint64_t count, least, most, lines;
};

static bool add(void *arg, struct key key, const void *value, size_t size)
{
	struct sums *sums = arg;
	uint32_t number = key_number(key, 2);
	struct order order;

	if (!key_begins(key, &sums->prefix, 2))
		return false;
	if (size == sizeof(order)) {
		memcpy(&order, value, sizeof(order));
		sums->lines += order.lines;
	}
	if (!sums->count++)
		sums->least = number;
	sums->most = number;
	return true;
}

static int sum(struct worker *worker, enum table table, uint32_t w, uint32_t d, struct sums *sums)
{
	*sums = (struct sums){ .prefix = numbers(2, w, d) };
	return tpcc_scan(worker, table, &sums->prefix, false, add, sums);
}

static int broken(unsigned int condition, uint32_t w, uint32_t d, uint64_t left, uint64_t right)
{
	if (left == right)
		return 0;
	fprintf(stderr,
		"tabby: consistency condition %u of TPC-C does not hold: warehouse %u, district %u:"
		" %lu and %lu\n",
		condition, w, d, left, right);
	return -EILSEQ;
}

static int check_district(struct worker *worker, uint32_t w, uint32_t d, int64_t *ytd)
{
	struct number_key key = numbers(2, w, d);
	struct sums orders, new_orders, lines;
	struct district district;
	int err = tpcc_get(worker, DISTRICT, &key, &district, sizeof(district));

	if (!err)
		err = sum(worker, ORDER, w, d, &orders);
	if (!err)
		err = sum(worker, NEW_ORDER, w, d, &new_orders);
	if (!err)
		err = sum(worker, ORDER_LINE, w, d, &lines);
	if (err)
		return err;
	*ytd += district.ytd;
	err = broken(2, w, d, district.next_order - 1, orders.most);
	/* If all have been delivered there is no last new order. */
	if (!err && new_orders.count)
		err = broken(2, w, d, orders.most, new_orders.most);
	if (!err && new_orders.count)
		err = broken(3, w, d, new_orders.most - new_orders.least + 1, new_orders.count);
	return err ? err : broken(4, w, d, orders.lines, lines.count);
}

static int check_warehouse(struct worker *worker, uint32_t w)
{
	struct number_key key = numbers(1, w);
	struct warehouse warehouse;
	int64_t ytd = 0;
	int err = tpcc_get(worker, WAREHOUSE, &key, &warehouse, sizeof(warehouse));

	for (uint32_t d = 1; !err && d <= DISTRICTS; d++)
		err = check_district(worker, w, d, &ytd);
	return err ? err : broken(1, w, 0, warehouse.ytd, ytd);
}

int tpcc_check(struct run *run, struct session *session)
{
	struct worker *worker = &run->worker[0];
	const struct tpcc *tpcc = run->state;
	int err = 0;

	worker->session = session;
	for (uint32_t w = 1; !err && w <= tpcc->warehouses; w++)
		err = check_warehouse(worker, w);
	return err;
}
