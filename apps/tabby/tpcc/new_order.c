// SPDX-License-Identifier: BSD-2-Clause
/* New-Order: clause 2.4. */
#include <errno.h>
#include <string.h>

#include "tpcc/tpcc.h"

struct line {
	uint32_t item, supplier, quantity;
	struct item record;
};

struct input {
	uint32_t warehouse, district, customer, lines;
	struct line line[LINES_MAX];
	bool all_local, rolls_back;
};

static void draw(struct worker *worker, struct input *input, struct warehouses *warehouses)
{
	input->warehouse = tpcc_home(worker);
	input->district = tpcc_uniform(worker, 1, DISTRICTS);
	input->customer = tpcc_customer(worker);
	input->lines = tpcc_uniform(worker, 5, LINES_MAX);
	input->rolls_back = tpcc_uniform(worker, 1, 100) == 1;
	input->all_local = true;
	warehouses_add(warehouses, input->warehouse);
	for (uint32_t i = 0; i < input->lines; i++) {
		struct line *line = &input->line[i];

		line->item = tpcc_item(worker);
		line->quantity = tpcc_uniform(worker, 1, 10);
		line->supplier = input->warehouse;
		if (tpcc_uniform(worker, 1, 100) == 1)
			line->supplier = tpcc_other(worker, input->warehouse);
		input->all_local &= line->supplier == input->warehouse;
		warehouses_add(warehouses, line->supplier);
	}
	/* No item has this number. */
	if (input->rolls_back)
		input->line[input->lines - 1].item = tpcc_of(worker)->items + 1;
}

static int read_items(struct worker *worker, struct input *input)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < input->lines; i++) {
		struct number_key key = numbers(1, input->line[i].item);
		struct item *item = &input->line[i].record;

		err = tpcc_get(worker, ITEM, &key, item, sizeof(*item));
	}
	return err;
}

/* The order's number, and the district's as it was otherwise. */
static void take_number(void *arg, void *value, size_t size)
{
	struct district *district = arg, *record = value;

	memcpy(district, value, size);
	record->next_order = district->next_order + 1;
}

static int insert_order(struct worker *worker, const struct input *input, uint32_t number)
{
	uint32_t w = input->warehouse, d = input->district;
	struct number_key key = numbers(3, w, d, number);
	struct number_key by_customer = numbers(4, w, d, input->customer, number);
	struct order order = {
		.customer = input->customer, .entered = tpcc_now(worker), .lines = input->lines,
		.all_local = input->all_local,
	};
	int err = tpcc_insert(worker, ORDER, &key, &order, sizeof(order));

	if (!err)
		err = tpcc_insert(worker, ORDER_CUSTOMER, &by_customer, "", 0);
	if (!err)
		err = tpcc_insert(worker, NEW_ORDER, &key, "", 0);
	return err;
}

struct supply {
	uint32_t quantity, district;
	bool is_remote;
	char info[24];
};

static void take_stock(void *arg, void *value, size_t size)
{
	struct supply *supply = arg;
	struct stock stock;

	memcpy(&stock, value, sizeof(stock));
	memcpy(supply->info, stock.info[supply->district - 1], sizeof(supply->info));
	stock.quantity -= supply->quantity;
	if (stock.quantity < 10)
		stock.quantity += 91;
	stock.ytd += supply->quantity;
	stock.orders++;
	stock.remotes += supply->is_remote;
	memcpy(value, &stock, size);
}

static int insert_line(struct worker *worker, const struct input *input, uint32_t number,
		       uint32_t i)
{
	const struct line *line = &input->line[i];
	struct number_key stock = numbers(2, line->supplier, line->item);
	struct number_key key = numbers(4, input->warehouse, input->district, number, i + 1);
	struct supply supply = {
		.quantity = line->quantity, .district = input->district,
		.is_remote = line->supplier != input->warehouse,
	};
	struct order_line record = {
		.item = line->item, .supplier = line->supplier, .quantity = line->quantity,
		.amount = line->quantity * line->record.price,
	};
	int err = tpcc_change(worker, STOCK, &stock, take_stock, &supply);

	memcpy(record.info, supply.info, sizeof(record.info));
	return err ? err : tpcc_insert(worker, ORDER_LINE, &key, &record, sizeof(record));
}

static int run(struct worker *worker, struct input *input)
{
	struct number_key warehouse_key = numbers(1, input->warehouse);
	struct number_key district_key = numbers(2, input->warehouse, input->district);
	struct number_key customer_key =
		numbers(3, input->warehouse, input->district, input->customer);
	struct warehouse warehouse;
	struct district district;
	struct customer customer;
	int err = tpcc_get(worker, WAREHOUSE, &warehouse_key, &warehouse, sizeof(warehouse));

	if (!err)
		err = tpcc_get(worker, CUSTOMER, &customer_key, &customer, sizeof(customer));
	if (!err)
		err = tpcc_change(worker, DISTRICT, &district_key, take_number, &district);
	if (!err)
		err = insert_order(worker, input, district.next_order);
	for (uint32_t i = 0; !err && i < input->lines; i++)
		err = insert_line(worker, input, district.next_order, i);
	return err;
}

int tpcc_new_order(struct worker *worker)
{
	struct warehouses warehouses = { .count = 0 };
	struct input input;
	int err;

	draw(worker, &input, &warehouses);
	err = tpcc_begin(worker, &warehouses, true);
	if (err)
		return err;
	err = read_items(worker, &input);
	if (err == -ENOENT && input.rolls_back) {
		worker->detail[ROLLED_BACK]++;
		return tpcc_end(worker, &warehouses, 0);
	}
	if (!err)
		err = run(worker, &input);
	worker->detail[NEW_ORDERS] += !err;
	return tpcc_end(worker, &warehouses, err);
}
