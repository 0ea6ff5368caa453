// SPDX-License-Identifier: BSD-2-Clause
/* Payment: clause 2.5. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tpcc/tpcc.h"

struct input {
	uint32_t warehouse, district, customer_warehouse, customer_district, customer;
	int64_t amount;
};

static void draw(struct worker *worker, struct input *input)
{
	input->warehouse = input->customer_warehouse = tpcc_home(worker);
	input->district = input->customer_district = tpcc_uniform(worker, 1, DISTRICTS);
	input->amount = tpcc_uniform(worker, 100, 500000);
	if (tpcc_uniform(worker, 1, 100) <= 85)
		return;
	input->customer_warehouse = tpcc_other(worker, input->warehouse);
	input->customer_district = tpcc_uniform(worker, 1, DISTRICTS);
}

static void pay_warehouse(void *arg, void *value, size_t size)
{
	const struct input *input = arg;
	struct warehouse warehouse;

	memcpy(&warehouse, value, sizeof(warehouse));
	warehouse.ytd += input->amount;
	memcpy(value, &warehouse, size);
}

static void pay_district(void *arg, void *value, size_t size)
{
	const struct input *input = arg;
	struct district district;

	memcpy(&district, value, sizeof(district));
	district.ytd += input->amount;
	memcpy(value, &district, size);
}

/* Of one with bad credit the payment is noted before what is there, the last of which falls off. */
static void pay_customer(void *arg, void *value, size_t size)
{
	const struct input *input = arg;
	struct customer customer;
	char note[64];
	size_t length;

	memcpy(&customer, value, sizeof(customer));
	customer.balance -= input->amount;
	customer.ytd_payment += input->amount;
	customer.payments++;
	if (!memcmp(customer.credit, "BC", 2)) {
		length = snprintf(note, sizeof(note), "%u %u %u %u %u %ld|", input->customer,
				  input->customer_district, input->customer_warehouse,
				  input->district, input->warehouse, (long)input->amount);
		memmove(customer.data + length, customer.data, sizeof(customer.data) - length);
		memcpy(customer.data, note, length);
	}
	memcpy(value, &customer, size);
}

/*
 * A history has no key of its own: customer, thread and a number make one that no other has. In a
 * store that was opened there may be an earlier run's.
 */
static int insert_history(struct worker *worker, const struct input *input)
{
	struct number_key key = numbers(5, input->customer_warehouse, input->customer_district,
					input->customer, worker->index + 1, worker->serial++);
	struct history history = {
		.customer = input->customer, .customer_district = input->customer_district,
		.customer_warehouse = input->customer_warehouse, .district = input->district,
		.warehouse = input->warehouse, .date = tpcc_now(worker), .amount = input->amount,
	};
	int err;

	tpcc_text(worker, history.data, sizeof(history.data));
	do
		err = tpcc_insert(worker, HISTORY, &key, &history, sizeof(history));
	while (err == -EEXIST && (key.part[4] = random_next(&worker->random) >> 32, true));
	return err;
}

static int run(struct worker *worker, struct input *input)
{
	struct number_key warehouse = numbers(1, input->warehouse);
	struct number_key district = numbers(2, input->warehouse, input->district);
	struct number_key customer;
	int err = tpcc_draw_customer(worker, input->customer_warehouse, input->customer_district,
				     &input->customer);

	if (!err)
		err = tpcc_change(worker, WAREHOUSE, &warehouse, pay_warehouse, input);
	if (!err)
		err = tpcc_change(worker, DISTRICT, &district, pay_district, input);
	customer = numbers(3, input->customer_warehouse, input->customer_district,
			   input->customer);
	if (!err)
		err = tpcc_change(worker, CUSTOMER, &customer, pay_customer, input);
	return err ? err : insert_history(worker, input);
}

int tpcc_payment(struct worker *worker)
{
	struct warehouses warehouses = { .count = 0 };
	struct input input = { 0 };
	int err;

	draw(worker, &input);
	warehouses_add(&warehouses, input.warehouse);
	warehouses_add(&warehouses, input.customer_warehouse);
	err = tpcc_begin(worker, &warehouses, true);
	if (err)
		return err;
	err = run(worker, &input);
	worker->detail[PAYMENTS] += !err;
	return tpcc_end(worker, &warehouses, err);
}
