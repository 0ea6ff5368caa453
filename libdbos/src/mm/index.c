// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "hv/machine.h"
#include "mm/index.h"

/* How many ranges begin at or below @va; of a copy that is being changed, any number up to all. */
static uint64_t rank(const struct index_copy *copy, uint64_t va)
{
	uint64_t lo = 0, hi = machine_load(&copy->count);

	while (lo < hi) {
		uint64_t middle = (lo + hi) / 2;

		if (machine_load(&copy->range[middle].lo) <= va)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static struct index_range read_range(const struct index_range *range)
{
	return (struct index_range){
		.lo = machine_load(&range->lo),
		.hi = machine_load(&range->hi),
		.region = (struct dbos_region *)machine_load((const uint64_t *)&range->region),
	};
}

static void write_range(struct index_range *range, const struct index_range *value)
{
	machine_store(&range->lo, value->lo);
	machine_store(&range->hi, value->hi);
	machine_store((uint64_t *)&range->region, (uint64_t)value->region);
}

/* The ranges around @va: of the last one that begins at or below it, and of the next. */
static void neighbours(const struct index *index, uint64_t va, struct index_range *below,
		       struct index_range *above)
{
	uint64_t sequence;

	do {
		const struct index_copy *copy;
		uint64_t at;

		sequence = machine_load(&index->sequence);
		copy = &index->copy[sequence & 1];
		at = rank(copy, va);
		*below = (struct index_range){ 0 };
		*above = (struct index_range){ .lo = UINT64_MAX, .hi = UINT64_MAX };
		if (at > 0)
			*below = read_range(&copy->range[at - 1]);
		if (at < machine_load(&copy->count))
			*above = read_range(&copy->range[at]);
	} while (machine_load(&index->sequence) != sequence);
}

struct dbos_region *index_find(const struct index *index, uint64_t va)
{
	struct index_range below, above;

	neighbours(index, va, &below, &above);
	return va < below.hi ? below.region : NULL;
}

void index_gap(const struct index *index, uint64_t va, uint64_t *lo, uint64_t *hi)
{
	struct index_range below, above;

	neighbours(index, va, &below, &above);
	*lo = below.hi;
	*hi = above.lo;
}

/*
 * Applies the change to the copy that nobody reads, then to the one that nobody reads any more. By
 * the barrier all that begin to look when it is over see it.
 */
static void change(struct index *index, void (*apply)(struct index_copy *copy,
						      const struct index_range *range),
		   const struct index_range *range)
{
	uint64_t sequence = machine_load(&index->sequence);

	apply(&index->copy[(sequence + 1) & 1], range);
	machine_store(&index->sequence, sequence + 1);
	apply(&index->copy[sequence & 1], range);
	machine_fence();
}

static void apply_insert(struct index_copy *copy, const struct index_range *range)
{
	uint64_t count = machine_load(&copy->count), at = rank(copy, range->lo);

	for (uint64_t i = count; i > at; i--) {
		struct index_range moved = read_range(&copy->range[i - 1]);

		write_range(&copy->range[i], &moved);
	}
	write_range(&copy->range[at], range);
	machine_store(&copy->count, count + 1);
}

static void apply_resize(struct index_copy *copy, const struct index_range *range)
{
	machine_store(&copy->range[rank(copy, range->lo) - 1].hi, range->hi);
}

static void apply_remove(struct index_copy *copy, const struct index_range *range)
{
	uint64_t count = machine_load(&copy->count);

	for (uint64_t i = rank(copy, range->lo); i < count; i++) {
		struct index_range moved = read_range(&copy->range[i]);

		write_range(&copy->range[i - 1], &moved);
	}
	machine_store(&copy->count, count - 1);
}

int index_insert(struct index *index, uint64_t lo, uint64_t hi, struct dbos_region *region)
{
	struct index_range range = { lo, hi, region }, below, above;

	neighbours(index, lo, &below, &above);
	if (lo < below.hi || above.lo < hi)
		return -EEXIST;
	if (machine_load(&index->copy[0].count) == INDEX_MAX)
		return -ENOSPC;
	change(index, apply_insert, &range);
	return 0;
}

int index_resize(struct index *index, uint64_t lo, uint64_t hi)
{
	struct index_range range = { lo, hi, NULL }, below, above;

	neighbours(index, lo, &below, &above);
	if (above.lo < hi)
		return -EEXIST;
	change(index, apply_resize, &range);
	return 0;
}

void index_remove(struct index *index, uint64_t lo)
{
	const struct index_range range = { .lo = lo };

	change(index, apply_remove, &range);
}
