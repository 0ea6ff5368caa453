// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>

#include "ycsb/ycsb.h"
#include "ycsb/zipf.h"

int ycsb_prepare(struct run *run)
{
	const struct options *o = run->options;
	struct zipf *zipf = calloc(1, sizeof(*zipf));

	if (!zipf)
		return -ENOMEM;
	run->state = zipf;
	zipf_make(zipf, o->records, o->theta);
	for (unsigned int i = 0; i < o->threads; i++) {
		struct ycsb_own *own = calloc(1, sizeof(*own));

		if (!own)
			return -ENOMEM;
		own->count = (o->records + o->threads - 1 - i) / o->threads;
		run->worker[i].state = own;
	}
	return 0;
}

void ycsb_end(struct run *run)
{
	for (unsigned int i = 0; run->worker && i < run->options->threads; i++)
		free(run->worker[i].state);
	free(run->state);
}

uint64_t ycsb_rank(struct worker *worker, uint64_t count)
{
	if (!worker->run->options->zipfian)
		return random_below(&worker->random, count);
	return zipf_rank(worker->run->state, random_next(&worker->random)) % count;
}

/* The popular ones are anywhere among them. */
uint64_t ycsb_pick(struct worker *worker)
{
	const struct options *o = worker->run->options;
	uint64_t rank = ycsb_rank(worker, o->records);

	return o->zipfian ? mix(rank) % o->records : rank;
}
