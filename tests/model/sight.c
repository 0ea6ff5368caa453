// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "hv/model/model.h"
#include "sight.h"

/* Times in steps, from 1 on; 0: not yet. */
struct mapping {
	uint64_t frame;
	bool writable;
	uint64_t began, replaced, flushed, flushed_sync;
};

static struct {
	unsigned int count[SIGHT_PAGES];
	struct mapping mapping[SIGHT_PAGES][SIGHT_MAPPINGS];
	uint64_t quiescent[SIGHT_CPUS];
	uint64_t local[SIGHT_CPUS][SIGHT_PAGES];
} sight;

void sight_reset(void)
{
	memset(sight.count, 0, sizeof(sight.count));
	memset(sight.quiescent, 0, sizeof(sight.quiescent));
	memset(sight.local, 0, sizeof(sight.local));
}

static uint64_t now(void)
{
	return model_now() + 1;
}

unsigned int sight_begin(unsigned int page, uint64_t frame, bool writable)
{
	unsigned int number = sight.count[page];

	if (number == SIGHT_MAPPINGS) {
		model_fail("the oracle has room for %d mappings of a page", SIGHT_MAPPINGS);
		return 0;
	}
	sight.mapping[page][number] = (struct mapping){
		.frame = frame, .writable = writable, .began = now(),
	};
	sight.count[page]++;
	return number;
}

void sight_replaced(unsigned int page, unsigned int number)
{
	sight.mapping[page][number].replaced = now();
}

void sight_flushed(unsigned int page, unsigned int number, bool sync)
{
	sight.mapping[page][number].flushed = now();
	if (sync)
		sight.mapping[page][number].flushed_sync = now();
}

void sight_quiescent(unsigned int cpu, uint64_t began)
{
	sight.quiescent[cpu] = began + 1;
}

void sight_flushed_locally(unsigned int cpu, unsigned int page, uint64_t began)
{
	sight.local[cpu][page] = began + 1;
}

static bool before(uint64_t event, uint64_t limit)
{
	return event && event < limit;
}

static bool in_sight(const struct mapping *mapping, unsigned int cpu, unsigned int page,
		     uint64_t began)
{
	return !before(mapping->flushed_sync, began) &&
	       !before(mapping->flushed, sight.quiescent[cpu]) &&
	       !before(mapping->replaced, sight.local[cpu][page]);
}

void sight_check_read(unsigned int cpu, unsigned int page, uint64_t frame, uint64_t began)
{
	for (unsigned int i = 0; i < sight.count[page]; i++) {
		const struct mapping *mapping = &sight.mapping[page][i];

		if (mapping->frame == frame && in_sight(mapping, cpu, page, began + 1))
			return;
	}
	model_fail("vCPU %u read page %u and met frame %lld, which is stale", cpu, page,
		   (long long)frame);
}

void sight_check_write(unsigned int cpu, unsigned int page, bool done, uint64_t began)
{
	for (unsigned int i = 0; i < sight.count[page]; i++) {
		const struct mapping *mapping = &sight.mapping[page][i];

		if (mapping->writable == done && in_sight(mapping, cpu, page, began + 1))
			return;
	}
	model_fail("vCPU %u %s page %u by stale rights", cpu,
		   done ? "wrote" : "could not write", page);
}
