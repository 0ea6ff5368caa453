// SPDX-License-Identifier: BSD-2-Clause
/* The mixes. */
#include "ycsb/ycsb.h"

static int load(struct worker *worker)
{
	const struct options *o = worker->run->options;

	for (uint64_t id = 0; !worker->index && id < o->records; id++) {
		int err = ycsb_insert(worker, id);

		if (err)
			return err;
		__atomic_store_n(&worker->operations, worker->operations + 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static bool percent(struct worker *worker, unsigned int percent)
{
	return random_below(&worker->random, 100) < percent;
}

static int step_a(struct worker *worker)
{
	bool reads = percent(worker, 50);
	uint64_t id = ycsb_pick(worker);

	return reads ? ycsb_read(worker, id) : ycsb_update(worker, id);
}

static int step_b(struct worker *worker)
{
	bool reads = percent(worker, 95);
	uint64_t id = ycsb_pick(worker);

	return reads ? ycsb_read(worker, id) : ycsb_update(worker, id);
}

static int step_c(struct worker *worker)
{
	return ycsb_read(worker, ycsb_pick(worker));
}

static int step_d(struct worker *worker)
{
	return percent(worker, 95) ? ycsb_read_latest(worker) : ycsb_insert_next(worker);
}

static int step_e(struct worker *worker)
{
	return percent(worker, 95) ? ycsb_scan(worker) : ycsb_insert_next(worker);
}

static int step_f(struct worker *worker)
{
	bool reads = percent(worker, 50);
	uint64_t id = ycsb_pick(worker);

	return reads ? ycsb_read(worker, id) : ycsb_modify(worker, id);
}

#define MIX(letter, mix)                                                                           \
	const struct workload ycsb_##letter = {                                                    \
		.name = "ycsb-" #letter, .about = mix,                                             \
		.prepare = ycsb_prepare, .load = load, .step = step_##letter,                      \
		.check = ycsb_check, .end = ycsb_end,                                              \
		.detail = { "reads", "updates", "inserts", "scans", "records_scanned" },           \
	}

MIX(a, "half reads, half updates");
MIX(b, "95 % reads, 5 % updates");
MIX(c, "reads only");
MIX(d, "95 % reads of what was inserted last, 5 % inserts");
MIX(e, "95 % scans of 1 to 100 records, 5 % inserts");
MIX(f, "half reads, half reads that write what they have read");

/* Words anywhere in the store's pages: the engine alone, without a tree. */
static int step_pages(struct worker *worker)
{
	const struct store_engine *engine = worker->run->store->engine;
	uint64_t page = ycsb_rank(worker, worker->run->first.pool.pages - 1);

	worker->detail[YCSB_READS]++;
	return engine->read_page(worker->session, page + 1, random_next(&worker->random));
}

const struct workload ycsb_pages = {
	.name = "read", .about = "reads of pages, without a tree: mmu, hash, madvise",
	.prepare = ycsb_prepare, .load = load, .step = step_pages, .check = ycsb_check,
	.end = ycsb_end, .detail = { "reads" },
};
