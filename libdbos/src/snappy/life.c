// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>

#include "hv/machine.h"
#include "snappy/life.h"

const struct lives_extent *lives_extent(const struct lives *lives, uint64_t gpa)
{
	for (uint64_t i = 0; i < lives->count; i++) {
		const struct lives_extent *extent = &lives->extent[i];

		if (gpa - extent->gpa < extent->count * FRAME_SIZE)
			return extent;
	}
	return NULL;
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
