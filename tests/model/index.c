// SPDX-License-Identifier: BSD-2-Clause
/*
 * T5: a region that is there during all of a look-up is found, and one that is not there at all
 * during it is not. vCPUs look addresses up, with and without interrupts that look up too, while
 * one of them at a time inserts, resizes and removes ranges.
 *
 * The oracle has a place per address, which says since when and until when it has been in a region,
 * and which; nothing of it is read from the index.
 */
#include <string.h>

#include "mm/index.h"
#include "property.h"

#define PLACES	   12
#define PLACE	   0x1000ull
#define REGIONS	   5
#define CPUS	   4
#define OPERATIONS 24

/* What is certain of a place: @region, since @since; 0: it is changing. */
struct certain {
	uint64_t since;
	struct dbos_region *region;
};

static struct {
	unsigned int cpus;
	unsigned int id[CPUS];
	struct index index;
	struct spinlock lock;		/* of writers */
	struct certain place[PLACES];
	struct { unsigned int first, end; } region[REGIONS];	/* first == end: not there */
} test;

static bool fault(uint64_t va, uint32_t error)
{
	(void)va, (void)error;
	return false;
}

/* Never looked into. */
static struct dbos_region *region_of(unsigned int number)
{
	return (struct dbos_region *)(0x1000ull + number);
}

static void look_up(unsigned int place)
{
	struct certain before = test.place[place];
	uint64_t lo, hi, va = place * PLACE + model_random(PLACE);
	struct dbos_region *found = index_find(&test.index, va);

	if (before.since && before.since == test.place[place].since && found != before.region)
		model_fail("place %u was in region %p all the time, and %p was found", place,
			   (void *)before.region, (void *)found);
	before = test.place[place];
	index_gap(&test.index, va, &lo, &hi);
	if (before.since && before.since == test.place[place].since && !before.region &&
	    (lo > va || hi <= va))
		model_fail("place %u is free, but not in the gap", place);
}

static void look_up_in_interrupt(void *arg)
{
	(void)arg;
	look_up(model_random(PLACES));
}

static void uncertain(unsigned int first, unsigned int end)
{
	for (unsigned int i = first; i < end; i++)
		test.place[i].since = 0;
}

static void certain(unsigned int first, unsigned int end, struct dbos_region *region)
{
	for (unsigned int i = first; i < end; i++)
		test.place[i] = (struct certain){ model_now() + 1, region };
}

static bool is_free(unsigned int first, unsigned int end)
{
	for (unsigned int i = 0; i < REGIONS; i++) {
		if (test.region[i].first < test.region[i].end && test.region[i].first < end &&
		    first < test.region[i].end)
			return false;
	}
	return true;
}

static void insert(unsigned int number)
{
	unsigned int first = model_random(PLACES), length = 1 + model_random(4);
	unsigned int end = first + length < PLACES ? first + length : PLACES;
	bool free = is_free(first, end);
	int ret;

	if (free)
		uncertain(first, end);
	ret = index_insert(&test.index, first * PLACE, end * PLACE, region_of(number));
	if (free != !ret)
		model_fail("inserting [%u, %u): %d", first, end, ret);
	if (ret)
		return;
	certain(first, end, region_of(number));
	test.region[number].first = first;
	test.region[number].end = end;
}

static void resize(unsigned int number)
{
	unsigned int first = test.region[number].first, old = test.region[number].end;
	unsigned int end = first + 1 + model_random(PLACES - first);
	unsigned int lo = end < old ? end : old, hi = end < old ? old : end;
	bool free = end < old || is_free(old, end);
	int ret;

	if (free)
		uncertain(lo, hi);
	ret = index_resize(&test.index, first * PLACE, end * PLACE);
	if (free != !ret)
		model_fail("resizing [%u, %u) to %u: %d", first, old, end, ret);
	if (ret)
		return;
	certain(lo, hi, end > old ? region_of(number) : NULL);
	test.region[number].end = end;
}

static void take_away(unsigned int number)
{
	unsigned int first = test.region[number].first, end = test.region[number].end;

	uncertain(first, end);
	index_remove(&test.index, first * PLACE);
	certain(first, end, NULL);
	test.region[number].end = first;
}

static void write(void)
{
	unsigned int number = model_random(REGIONS);
	uint64_t irqs = spin_lock(&test.lock);

	if (test.region[number].first == test.region[number].end)
		insert(number);
	else if (model_random(2))
		resize(number);
	else
		take_away(number);
	spin_unlock(&test.lock, irqs);
}

static void operate(unsigned int id)
{
	unsigned int to = test.id[model_random(test.cpus)];

	switch (model_random(8)) {
	case 0 ... 2:
		write();
		break;
	case 3:
		if (to != id)
			calls_send(&cpus, to, look_up_in_interrupt, NULL, CALL_TRY);
		break;
	default:
		look_up(model_random(PLACES));
	}
}

static void run_cpu(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	for (unsigned int i = 0; i < OPERATIONS; i++)
		operate(id);
	guest_exit(id);
}

static void begin(uint64_t seed)
{
	memset(&test.index.copy[0], 0, offsetof(struct index_copy, range[REGIONS + 1]));
	memset(&test.index.copy[1], 0, offsetof(struct index_copy, range[REGIONS + 1]));
	test.index.sequence = 0;
	memset(&test.lock, 0, sizeof(test.lock));
	memset(test.region, 0, sizeof(test.region));
	fixture_begin(seed, 16, 16, fault);
	certain(0, PLACES, NULL);
	test.cpus = 2 + model_random(CPUS - 1);
	for (unsigned int i = 0; i < test.cpus; i++) {
		test.id[i] = i * 4 + model_random(4);
		fixture_add_cpu(test.id[i], run_cpu, &test.id[i]);
	}
}

const struct property index_property = {
	.name = "T5",
	.what = "the region of an address is found while others come and go",
	.begin = begin,
};
