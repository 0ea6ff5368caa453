// SPDX-License-Identifier: BSD-2-Clause
/* The initial population: clause 4.3.3. Threads load their own warehouses, the first items too. */
#include <stdio.h>
#include <string.h>

#include "tpcc/tpcc.h"

/* Of the orders of a district the last three in ten are not delivered. */
#define DELIVERED(orders) ((orders) * 7 / 10)

static void make_address(struct worker *worker, struct address *address)
{
	tpcc_text(worker, (char *)address, sizeof(*address));
	memcpy(address->zip + 4, "11111", 5);
}

static void make_data(struct worker *worker, char *data, size_t size)
{
	tpcc_text(worker, data, size);
	if (tpcc_uniform(worker, 1, 10) == 1)
		memcpy(data + tpcc_uniform(worker, 0, size - 8), "ORIGINAL", 8);
}

static int load_items(struct worker *worker)
{
	int err = 0;

	for (uint32_t i = 1; !err && i <= tpcc_of(worker)->items; i++) {
		struct number_key key = numbers(1, i);
		struct item item = { 0 };

		item.image = tpcc_uniform(worker, 1, 10000);
		item.price = tpcc_uniform(worker, 100, 10000);
		tpcc_text(worker, item.name, sizeof(item.name));
		make_data(worker, item.data, sizeof(item.data));
		err = tpcc_insert(worker, ITEM, &key, &item, sizeof(item));
	}
	return err;
}

static int load_stock(struct worker *worker, uint32_t w)
{
	int err = 0;

	for (uint32_t i = 1; !err && i <= tpcc_of(worker)->items; i++) {
		struct number_key key = numbers(2, w, i);
		struct stock stock = { 0 };

		stock.quantity = tpcc_uniform(worker, 10, 100);
		for (unsigned int d = 0; d < DISTRICTS; d++)
			tpcc_text(worker, stock.info[d], sizeof(stock.info[d]));
		make_data(worker, stock.data, sizeof(stock.data));
		err = tpcc_insert(worker, STOCK, &key, &stock, sizeof(stock));
	}
	return err;
}

static int load_warehouse_record(struct worker *worker, uint32_t w)
{
	struct number_key key = numbers(1, w);
	struct warehouse warehouse = { 0 };

	tpcc_text(worker, warehouse.name, sizeof(warehouse.name));
	make_address(worker, &warehouse.address);
	warehouse.tax = tpcc_uniform(worker, 0, 2000);
	/* Of each customer 10.00: the 300,000.00 of clause 4.3.3.1 with 3,000 a district. */
	warehouse.ytd = 1000ll * tpcc_of(worker)->customers * DISTRICTS;
	return tpcc_insert(worker, WAREHOUSE, &key, &warehouse, sizeof(warehouse));
}

static int load_district_record(struct worker *worker, uint32_t w, uint32_t d)
{
	struct number_key key = numbers(2, w, d);
	struct district district = { 0 };

	tpcc_text(worker, district.name, sizeof(district.name));
	make_address(worker, &district.address);
	district.tax = tpcc_uniform(worker, 0, 2000);
	district.ytd = 1000ll * tpcc_of(worker)->customers;
	district.next_order = tpcc_of(worker)->customers + 1;
	return tpcc_insert(worker, DISTRICT, &key, &district, sizeof(district));
}

static void make_customer(struct worker *worker, uint32_t c, struct customer *customer)
{
	*customer = (struct customer){ .credit_limit = 5000000, .balance = -1000 };
	if (c <= tpcc_of(worker)->names)
		tpcc_name_of(c - 1, customer->last);
	else
		tpcc_last_name(worker, customer->last);
	tpcc_text(worker, customer->first, sizeof(customer->first));
	memcpy(customer->middle, "OE", 2);
	make_address(worker, &customer->address);
	tpcc_text(worker, customer->phone, sizeof(customer->phone));
	customer->since = tpcc_now(worker);
	memcpy(customer->credit, tpcc_uniform(worker, 1, 10) == 1 ? "BC" : "GC", 2);
	customer->discount = tpcc_uniform(worker, 0, 5000);
	customer->ytd_payment = 1000;
	customer->payments = 1;
	tpcc_text(worker, customer->data, sizeof(customer->data));
}

static int load_customer(struct worker *worker, uint32_t w, uint32_t d, uint32_t c)
{
	struct number_key key = numbers(3, w, d, c);
	/* Customers' histories before the first payment of a thread's. */
	struct number_key history_key = numbers(4, w, d, c, 0);
	struct history history = {
		.customer = c, .customer_district = d, .customer_warehouse = w, .district = d,
		.warehouse = w, .date = tpcc_now(worker), .amount = 1000,
	};
	struct customer customer;
	int err;

	make_customer(worker, c, &customer);
	err = tpcc_insert(worker, CUSTOMER, &key, &customer, sizeof(customer));
	if (!err)
		err = tpcc_insert_name(worker, w, d, c, &customer);
	tpcc_text(worker, history.data, sizeof(history.data));
	if (!err)
		err = tpcc_insert(worker, HISTORY, &history_key, &history, sizeof(history));
	return err;
}

static int load_line(struct worker *worker, const struct number_key *order, uint32_t number,
		     bool delivered)
{
	struct number_key key = *order;
	struct order_line line = { .quantity = 5 };

	key.part[key.count++] = __builtin_bswap32(number);
	line.item = tpcc_uniform(worker, 1, tpcc_of(worker)->items);
	line.supplier = __builtin_bswap32(order->part[0]);
	line.delivered = delivered ? tpcc_now(worker) : 0;
	line.amount = delivered ? 0 : tpcc_uniform(worker, 1, 999999);
	tpcc_text(worker, line.info, sizeof(line.info));
	return tpcc_insert(worker, ORDER_LINE, &key, &line, sizeof(line));
}

static int load_order(struct worker *worker, uint32_t w, uint32_t d, uint32_t o, uint32_t c)
{
	bool delivered = o <= DELIVERED(tpcc_of(worker)->customers);
	struct number_key key = numbers(3, w, d, o), by_customer = numbers(4, w, d, c, o);
	struct order order = {
		.customer = c, .entered = tpcc_now(worker), .all_local = 1,
		.lines = tpcc_uniform(worker, 5, LINES_MAX),
		.carrier = delivered ? tpcc_uniform(worker, 1, 10) : 0,
	};
	int err = tpcc_insert(worker, ORDER, &key, &order, sizeof(order));

	if (!err)
		err = tpcc_insert(worker, ORDER_CUSTOMER, &by_customer, "", 0);
	if (!err && !delivered)
		err = tpcc_insert(worker, NEW_ORDER, &key, "", 0);
	for (uint32_t line = 1; !err && line <= order.lines; line++)
		err = load_line(worker, &key, line, delivered);
	return err;
}

/* Each customer has one order; which one is by a permutation: a step that has no common divisor. */
static int load_orders(struct worker *worker, uint32_t w, uint32_t d)
{
	uint32_t count = tpcc_of(worker)->customers;
	uint32_t step = count * 61 / 100, at = tpcc_uniform(worker, 0, count - 1);
	int err = 0;

	while (step > 1) {
		uint32_t a = count, b = step;

		while (b) {
			uint32_t rest = a % b;

			a = b;
			b = rest;
		}
		if (a == 1)
			break;
		step--;
	}
	for (uint32_t o = 1; !err && o <= count; o++) {
		at = (at + step) % count;
		err = load_order(worker, w, d, o, at + 1);
	}
	return err;
}

static int load_warehouse(struct worker *worker, uint32_t w)
{
	int err = load_warehouse_record(worker, w);

	if (!err)
		err = load_stock(worker, w);
	for (uint32_t d = 1; !err && d <= DISTRICTS; d++) {
		err = load_district_record(worker, w, d);
		for (uint32_t c = 1; !err && c <= tpcc_of(worker)->customers; c++)
			err = load_customer(worker, w, d, c);
		if (!err)
			err = load_orders(worker, w, d);
	}
	return err;
}

int tpcc_load(struct worker *worker)
{
	int err = worker->index ? 0 : load_items(worker);
	uint32_t w = worker->index + 1;

	for (; !err && w <= tpcc_of(worker)->warehouses; w += worker->run->options->threads) {
		err = load_warehouse(worker, w);
		__atomic_store_n(&worker->operations, worker->operations + 1, __ATOMIC_RELAXED);
	}
	return err;
}
