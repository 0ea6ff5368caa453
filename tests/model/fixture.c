// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "property.h"

struct cpus cpus;
struct frames frames;
struct table table;
bool frames_watched;

static struct frame frame_array[POOL_MAX];

static void interrupt(void)
{
	cpu_interrupt(&cpus);
}

void fixture_begin(uint64_t seed, unsigned int limit, unsigned int pool,
		   bool (*fault)(uint64_t va, uint32_t error))
{
	const struct model_hooks hooks = {
		.interrupt = interrupt, .fault = fault, .step_limit = STEP_LIMIT,
	};

	frames_watched = false;
	model_begin(seed, &hooks);
	memset(&cpus, 0, offsetof(struct cpus, cpu[limit]));
	memset(&frames, 0, offsetof(struct frames, own[limit]));
	memset(frame_array, 0, sizeof(frame_array));
	frames_create(&frames, &cpus, (char *)model_memory() + POOL_GPA, POOL_GPA, pool,
		      frame_array);
	if (table_create(&table, &frames, &cpus))
		model_fail("no frame for the page table");
}

void fixture_add_cpu(unsigned int id, void (*main)(void *arg), void *arg)
{
	if (cpus_take(&cpus, id) != (int)id)
		model_fail("vCPU number %u is not free", id);
	model_add_cpu(id, table.root, main, arg);
}

void guest_enter(unsigned int id)
{
	cpu_inside(&cpus, &cpus.cpu[id]);
	model_enter_guest();
}

void guest_leave(unsigned int id)
{
	model_leave_guest();
	cpu_outside(&cpus, &cpus.cpu[id]);
}

void guest_exit(unsigned int id)
{
	calls_close(&cpus.cpu[id]);
	frames_give_back(&frames, id);
	guest_leave(id);
	model_end_cpu();
	cpus_give_back(&cpus, id);
}

void work(unsigned int most)
{
	for (unsigned int i = model_random(most + 1); i > 0; i--)
		model_step();
}

void host_call(unsigned int id, unsigned int most)
{
	guest_leave(id);
	work(most);
	guest_enter(id);
}

uint64_t *data_word(uint64_t gpa)
{
	return (uint64_t *)((char *)model_memory() + gpa);
}

void put_flush_code(uint64_t va, uint64_t gpa)
{
	cpus.flush_code = va;
	model_flush_code(va, gpa);
}

void map_at_first(uint64_t va, unsigned int level, uint64_t value)
{
	struct table_entry entry;

	if (table_lock(&table, va, level, &entry))
		model_fail("no frame for a table");
	else
		table_unlock(&entry, value);
}
