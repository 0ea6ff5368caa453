// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"
#include "oracle.h"

#define LOG_LENGTH (1ul << 20)

/* The operation's key, and whether it puts; the place is its number's. */
static uint32_t log[LOG_LENGTH];
static uint64_t followed;	/* up to there */

bool oracle_has_room(uint64_t sequence)
{
	return sequence - __atomic_load_n(&followed, __ATOMIC_ACQUIRE) < LOG_LENGTH / 4;
}

void oracle_log(uint64_t sequence, uint64_t key, bool put)
{
	log[sequence % LOG_LENGTH] = key << 1 | put;
}

void model_apply(struct model *model, uint64_t sequence, uint64_t key, bool put)
{
	model->put_by[key] = put ? sequence : 0;
	model->sequence = sequence;
}

void model_follow(struct model *model, uint64_t sequence)
{
	check(model->sequence <= sequence && sequence - model->sequence < LOG_LENGTH / 2,
	      "from operation %lu to %lu", model->sequence, sequence);
	while (model->sequence < sequence) {
		uint32_t written = log[(model->sequence + 1) % LOG_LENGTH];

		model_apply(model, model->sequence + 1, written >> 1, written & 1);
	}
	__atomic_store_n(&followed, sequence, __ATOMIC_RELEASE);
}

void model_compare(const struct model *model, const struct dump *dump, const char *what)
{
	char made[sizeof(struct record) + LONGEST] __attribute__((aligned(8)));
	struct record *record = (struct record *)made;
	size_t done = 0;

	for (uint64_t key = 0; key < KEYS; key++) {
		if (!model->put_by[key])
			continue;
		record_fill(record, key, model->put_by[key]);
		check(done + record_size(record) <= dump->length &&
		      memcmp(dump->memory + done, record, record_size(record)) == 0,
		      "%s: behind operation %lu, key %lu is not what operation %lu put", what,
		      model->sequence, key, model->put_by[key]);
		done += record_size(record);
	}
	check(done == dump->length, "%s: %zu bytes too many behind operation %lu", what,
	      dump->length - done, model->sequence);
}
