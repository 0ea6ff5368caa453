// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>

#include "tpcc/tpcc.h"

#define CUSTOMERS 3000
#define ITEMS	  100000
#define NAMES	  1000

/* The least 2^n - 1 that is not below @number - 1. */
static uint32_t mask(uint32_t number)
{
	uint32_t power = 1;

	while (power < number)
		power *= 2;
	return power - 1;
}

static uint32_t scaled(uint32_t count, double scale)
{
	uint32_t least = 2 * LINES_MAX, number = count * scale + 0.5;

	return number < least ? least : number;
}

/* With all of the cardinalities the masks are those of clause 2.1.6: 1023, 8191, 255. */
static void set_cardinalities(struct tpcc *tpcc, const struct options *o)
{
	uint64_t random = random_seed(o->seed, UINT32_MAX);

	tpcc->warehouses = o->warehouses;
	tpcc->customers = scaled(CUSTOMERS, o->scale);
	tpcc->items = scaled(ITEMS, o->scale);
	tpcc->names = tpcc->customers < NAMES ? tpcc->customers : NAMES;
	tpcc->customer_or = mask(tpcc->customers / 3);
	tpcc->item_or = mask(tpcc->items / 13);
	tpcc->name_or = mask(tpcc->names / 4);
	tpcc->customer_c = random_below(&random, tpcc->customer_or + 1);
	tpcc->item_c = random_below(&random, tpcc->item_or + 1);
	tpcc->name_c = random_below(&random, tpcc->name_or + 1);
}

static int prepare(struct run *run)
{
	struct tpcc *tpcc = calloc(1, sizeof(*tpcc));

	if (!tpcc)
		return -ENOMEM;
	run->state = tpcc;
	set_cardinalities(tpcc, run->options);
	tpcc->lock = calloc(tpcc->warehouses, sizeof(*tpcc->lock));
	if (!tpcc->lock)
		return -ENOMEM;
	for (uint32_t i = 0; i < tpcc->warehouses; i++)
		pthread_mutex_init(&tpcc->lock[i], NULL);
	return 0;
}

static void end(struct run *run)
{
	struct tpcc *tpcc = run->state;

	if (tpcc)
		free(tpcc->lock);
	free(tpcc);
}

/* Clause 5.2.3. */
static int step(struct worker *worker)
{
	uint32_t percent = tpcc_uniform(worker, 1, 100);

	if (percent <= 45)
		return tpcc_new_order(worker);
	if (percent <= 88)
		return tpcc_payment(worker);
	if (percent <= 92)
		return tpcc_order_status(worker);
	if (percent <= 96)
		return tpcc_delivery(worker);
	return tpcc_stock_level(worker);
}

const struct workload tpcc = {
	.name = "tpcc", .about = "TPC-C's five transactions; --warehouses and --scale",
	.prepare = prepare, .load = tpcc_load, .step = step, .check = tpcc_check, .end = end,
	.detail = { "new_orders", "payments", "order_statuses", "deliveries", "stock_levels",
		    "rolled_back" },
};
