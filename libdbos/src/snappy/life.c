// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>

#include "hv/machine.h"
#include "snappy/life.h"

void lives_add(struct lives *lives, const struct lives_extent *extent)
{
	uint64_t at = lives->count;

	for (; at > 1 && lives->extent[at - 1].gpa > extent->gpa; at--)
		lives->extent[at] = lives->extent[at - 1];
	lives->extent[at] = *extent;
	machine_store(&lives->count, lives->count + 1);
}

const struct lives_extent *lives_extent(const struct lives *lives, uint64_t gpa)
{
	const struct lives_extent *extent = lives->extent;
	uint64_t lo = 1, hi = lives->count;

	if (gpa - extent[0].gpa < extent[0].count * FRAME_SIZE)
		return extent;
	while (lo < hi) {
		uint64_t middle = (lo + hi) / 2;

		if (gpa >= extent[middle].gpa + extent[middle].count * FRAME_SIZE)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo < lives->count && gpa >= extent[lo].gpa ? &extent[lo] : NULL;
}

struct life *life_of(const struct lives *lives, uint64_t gpa)
{
	const struct lives_extent *extent = lives_extent(lives, gpa);

	return &extent->life[(gpa - extent->gpa) / FRAME_SIZE];
}

void *life_memory(const struct lives *lives, uint64_t gpa)
{
	const struct lives_extent *extent = lives_extent(lives, gpa);
	char *memory = machine_cpu() == MACHINE_NO_CPU ? extent->outside : extent->inside;

	return memory + (gpa - extent->gpa);
}

void *life_host_memory(const struct lives *lives, uint64_t gpa)
{
	const struct lives_extent *extent = lives_extent(lives, gpa);

	return extent->outside + (gpa - extent->gpa);
}
