// SPDX-License-Identifier: BSD-2-Clause
/* Delivery: clause 2.7, at once in place of by a queue; all districts in one transaction. */
#include <errno.h>
#include <string.h>

#include "tpcc/tpcc.h"

struct delivery {
	uint32_t warehouse, district, order, carrier, customer, lines;
	uint64_t date;
	int64_t amount;
};

static bool note_oldest(void *arg, struct key key, const void *value, size_t size)
{
	struct delivery *delivery = arg;
	struct number_key prefix = numbers(2, delivery->warehouse, delivery->district);

	(void)value;
	(void)size;
	if (key_begins(key, &prefix, 2))
		delivery->order = key_number(key, 2);
	return false;
}

static void set_carrier(void *arg, void *value, size_t size)
{
	struct delivery *delivery = arg;
	struct order order;

	memcpy(&order, value, sizeof(order));
	order.carrier = delivery->carrier;
	delivery->customer = order.customer;
	delivery->lines = order.lines;
	memcpy(value, &order, size);
}

static void set_delivered(void *arg, void *value, size_t size)
{
	struct delivery *delivery = arg;
	struct order_line line;

	memcpy(&line, value, sizeof(line));
	line.delivered = delivery->date;
	delivery->amount += line.amount;
	memcpy(value, &line, size);
}

static void charge(void *arg, void *value, size_t size)
{
	const struct delivery *delivery = arg;
	struct customer customer;

	memcpy(&customer, value, sizeof(customer));
	customer.balance += delivery->amount;
	customer.deliveries++;
	memcpy(value, &customer, size);
}

static int deliver(struct worker *worker, struct delivery *delivery)
{
	uint32_t w = delivery->warehouse, d = delivery->district;
	struct number_key order = numbers(3, w, d, delivery->order), customer;
	int err = tpcc_delete(worker, NEW_ORDER, &order);

	if (!err)
		err = tpcc_change(worker, ORDER, &order, set_carrier, delivery);
	for (uint32_t i = 1; !err && i <= delivery->lines; i++) {
		struct number_key line = numbers(4, w, d, delivery->order, i);

		err = tpcc_change(worker, ORDER_LINE, &line, set_delivered, delivery);
	}
	customer = numbers(3, w, d, delivery->customer);
	return err ? err : tpcc_change(worker, CUSTOMER, &customer, charge, delivery);
}

/* A district that has no new order is skipped (2.7.4.2). */
static int run(struct worker *worker, uint32_t w, uint32_t carrier)
{
	int err = 0;

	for (uint32_t d = 1; !err && d <= DISTRICTS; d++) {
		struct number_key from = numbers(3, w, d, 0);
		struct delivery delivery = {
			.warehouse = w, .district = d, .carrier = carrier,
			.date = tpcc_now(worker),
		};

		err = tpcc_scan(worker, NEW_ORDER, &from, false, note_oldest, &delivery);
		if (!err && delivery.order)
			err = deliver(worker, &delivery);
	}
	return err;
}

int tpcc_delivery(struct worker *worker)
{
	struct warehouses warehouses = { .count = 0 };
	uint32_t w = tpcc_home(worker), carrier = tpcc_uniform(worker, 1, 10);
	int err;

	warehouses_add(&warehouses, w);
	err = tpcc_begin(worker, &warehouses, true);
	if (err)
		return err;
	err = run(worker, w, carrier);
	worker->detail[DELIVERIES] += !err;
	return tpcc_end(worker, &warehouses, err);
}
