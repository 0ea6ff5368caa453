// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "tpcc/tpcc.h"

/* Of a thousand names three customers of a district have one on average, in all some dozens. */
#define SAME_MAX 1024

struct same {
	struct name_key prefix;
	unsigned int count;
	uint32_t customer[SAME_MAX];
};

#define PREFIX_SIZE offsetof(struct name_key, first)

static struct name_key name_key(uint32_t warehouse, uint32_t district, const char *last)
{
	struct name_key key = {
		.warehouse = __builtin_bswap32(warehouse),
		.district = __builtin_bswap32(district),
	};

	memcpy(key.last, last, NAME_SIZE);
	return key;
}

static bool note(void *arg, struct key key, const void *value, size_t size)
{
	struct same *same = arg;
	uint32_t customer;

	(void)value;
	(void)size;
	if (key.length != sizeof(struct name_key) || memcmp(key.bytes, &same->prefix, PREFIX_SIZE))
		return false;
	memcpy(&customer, (const char *)key.bytes + offsetof(struct name_key, customer),
	       sizeof(customer));
	same->customer[same->count++] = __builtin_bswap32(customer);
	return same->count < SAME_MAX;
}

int tpcc_find_customer(struct worker *worker, uint32_t warehouse, uint32_t district,
		       const char *last, uint32_t *customer)
{
	struct same same = { .prefix = name_key(warehouse, district, last) };
	struct key from = { &same.prefix, PREFIX_SIZE };
	int err = worker->run->store->engine->scan(worker->session, CUSTOMER_NAME, from, false,
						   note, &same);

	if (err)
		return err;
	if (!same.count)
		return -ENOENT;
	*customer = same.customer[(same.count + 1) / 2 - 1];
	return 0;
}

int tpcc_insert_name(struct worker *worker, uint32_t warehouse, uint32_t district,
		     uint32_t customer, const struct customer *record)
{
	struct name_key key = name_key(warehouse, district, record->last);

	memcpy(key.first, record->first, NAME_SIZE);
	key.customer = __builtin_bswap32(customer);
	return worker->run->store->engine->insert(worker->session, CUSTOMER_NAME,
						  (struct key){ &key, sizeof(key) }, "", 0);
}

int tpcc_draw_customer(struct worker *worker, uint32_t warehouse, uint32_t district,
		       uint32_t *customer)
{
	char last[NAME_SIZE];

	if (tpcc_uniform(worker, 1, 100) > 60) {
		*customer = tpcc_customer(worker);
		return 0;
	}
	tpcc_last_name(worker, last);
	return tpcc_find_customer(worker, warehouse, district, last, customer);
}
