// SPDX-License-Identifier: BSD-2-Clause
/* The word of a frame. */
#include "tabby/tabby.h"

uint64_t tabby_word(const struct tabby *tabby, uint64_t frame)
{
	return machine_load(&tabby->pool.frame[frame].word);
}

uint64_t tabby_name(const struct tabby *tabby, uint64_t frame)
{
	return machine_load(&tabby->pool.frame[frame].name);
}

bool tabby_swap(struct tabby *tabby, uint64_t frame, uint64_t old, uint64_t word)
{
	return machine_cas(&tabby->pool.frame[frame].word, &old, word);
}

/* Nobody else changes a locked word, so a store will do. */
void tabby_publish(struct tabby *tabby, uint64_t frame, uint64_t state)
{
	uint64_t version = tabby_word(tabby, frame) / DBOS_POOL_VERSION + 1;

	machine_store(&tabby->pool.frame[frame].word, version * DBOS_POOL_VERSION | state);
}

void tabby_unpin_shared(struct tabby *tabby, uint64_t frame, uint64_t dirty)
{
	uint64_t old = tabby_word(tabby, frame);

	while (!machine_cas(&tabby->pool.frame[frame].word, &old, (old - 1) | dirty))
		machine_pause();
}
