// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory as processors see it: total store order (SDM 3A 8.2, APM 2 7.2). A store waits in its
 * vCPU's buffer, where only that vCPU sees it, and becomes visible to all, in order, when the seed
 * says so. Locked instructions and fences wait until the buffer is empty.
 */
#include <string.h>

#include "hv/machine.h"
#include "hv/model/internal.h"

uint64_t buffered_load(const struct model_cpu *cpu, const uint64_t *word)
{
	for (unsigned int i = cpu ? cpu->stores : 0; i-- > 0;) {
		if (cpu->store[i].word == word)
			return cpu->store[i].value;
	}
	return *word;
}

static struct written *written_at(const uint64_t *word)
{
	return &model.written[(uintptr_t)word / sizeof(*word) % WRITTEN];
}

static void note_written(const uint64_t *word, const struct model_cpu *cpu)
{
	*written_at(word) = (struct written){ word, cpu };
}

/* Races are about words that several vCPUs change: they are looked for there. */
static void may_be_held_up(const uint64_t *word)
{
	const struct written *written = written_at(word);

	if (written->word == word && written->by && written->by != model.current &&
	    chance(model.temper.held_up))
		model_sleep(model_random(LONG_SLEEP / 4));
}

void drain_stores(struct model_cpu *cpu, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		*cpu->store[i].word = cpu->store[i].value;
		note_written(cpu->store[i].word, cpu);
	}
	cpu->stores -= count;
	memmove(cpu->store, cpu->store + count, cpu->stores * sizeof(cpu->store[0]));
}

static void drain_all(void)
{
	if (model.current)
		drain_stores(model.current, model.current->stores);
}

uint64_t machine_load(const uint64_t *word)
{
	uint64_t value;

	model_step();
	value = buffered_load(model.current, word);
	if (model.current)
		may_be_held_up(word);
	return value;
}

void machine_store(uint64_t *word, uint64_t value)
{
	struct model_cpu *cpu = model.current;

	if (!cpu) {
		*word = value;
		return;
	}
	model_step();
	if (cpu->stores == STORE_BUFFER)
		drain_stores(cpu, 1);
	cpu->store[cpu->stores++] = (struct buffered_store){ word, value };
}

bool machine_cas(uint64_t *word, uint64_t *expected, uint64_t value)
{
	model_step();
	drain_all();
	if (*word != *expected) {
		*expected = *word;
		return false;
	}
	*word = value;
	note_written(word, model.current);
	return true;
}

uint64_t machine_add(uint64_t *word, uint64_t value)
{
	uint64_t old;

	model_step();
	drain_all();
	old = *word;
	*word += value;
	note_written(word, model.current);
	return old;
}

void machine_fence(void)
{
	model_step();
	drain_all();
}
