// SPDX-License-Identifier: BSD-2-Clause
/* What snapshots have cost so far: for the program, and for those who look on (<dbos/stat.h>). */
#include <stddef.h>
#include <string.h>

#include "cpu/stat.h"
#include "snappy/instance.h"
#include "snappy/stats.h"

_Static_assert(DBOS_SNAP_BUCKETS == HISTOGRAM_BUCKETS, "snapshot.h");

/* A word of struct snappy under the name that `dbos stat` prints. */
struct word {
	const char *name;
	size_t offset;
	enum dbos_stat_kind kind;
};

#define COUNTER(name, field) { name, offsetof(struct snappy, counters.field), DBOS_STAT_SUM }
#define GAUGE(name, field)   { name, offsetof(struct snappy, field), DBOS_STAT_SUM }
#define TIMES(name, field)   { name, offsetof(struct snappy, counters.field), DBOS_STAT_TIMES }

static const struct word words[] = {
	COUNTER("created", created),
	COUNTER("released", released),
	COUNTER("dropped", dropped),
	COUNTER("live", live),
	GAUGE("branches", branches),
	GAUGE("epoch", epoch),
	COUNTER("oldest-epoch", oldest),
	COUNTER("write-faults", faults),
	COUNTER("splits", splits),
	COUNTER("tables", tables),
	COUNTER("pages", pages),
	COUNTER("stayed", stayed),
	COUNTER("reused", reused),
	COUNTER("in-flight", kept),
	COUNTER("waited", waited),
	COUNTER("reborn", reborn),
	COUNTER("entries", entries),
	GAUGE("ready", ready_count),
	COUNTER("unready", unready),
	COUNTER("mirrored", mirrored),
	COUNTER("joined", joined),
	COUNTER("flushes", flushes),
	COUNTER("lazy-flushes", lazy_flushes),
	COUNTER("held", held),
	GAUGE("resting", resting_count),
	COUNTER("release-steps", steps),
	COUNTER("longest-step", longest_step),
	TIMES("step-cycles", step_time),
	TIMES("create-cycles", create_time),
	TIMES("release-cycles", release_time),
};

static void export(struct dbos *dbos, const char *name, const void *first, uint32_t stride,
		   uint32_t count, uint16_t width)
{
	const struct dbos_stat_item item = {
		.address = (uint64_t)first, .stride = stride, .count = count, .width = width,
		.kind = DBOS_STAT_SUM,
	};

	stat_add_item(dbos, name, &item);
}

static void export_word(struct dbos *dbos, const struct word *word)
{
	const bool times = word->kind == DBOS_STAT_TIMES;
	const struct dbos_stat_item item = {
		.address = (uint64_t)dbos->snappy + word->offset, .stride = sizeof(uint64_t),
		.count = times ? HISTOGRAM_BUCKETS : 1, .width = sizeof(uint64_t),
		.kind = word->kind,
	};

	stat_add_item(dbos, word->name, &item);
}

void snappy_export(struct dbos *dbos)
{
	const struct frames *frames = &dbos->frames;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		export_word(dbos, &words[i]);
	export(dbos, "waiting", &dbos->inflights.waiting, 8, 1, 8);
	/* One after the other, so what is on its way from one to the next may be missed. */
	export(dbos, "limbo", &frames->own[0].limbo.count, sizeof(frames->own[0]), CPUS_MAX, 4);
	export(dbos, "limbo", &frames->partition[0].limbo.count, sizeof(frames->partition[0]),
	       FRAMES_PARTITIONS, 4);
	export(dbos, "limbo", &frames->tables.count, 8, 1, 8);
}

static uint64_t limbo_of(const struct frames *frames)
{
	uint64_t count = machine_load(&frames->tables.count);

	for (unsigned int i = 0; i < FRAMES_PARTITIONS; i++)
		count += __atomic_load_n(&frames->partition[i].limbo.count, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < CPUS_MAX; i++)
		count += __atomic_load_n(&frames->own[i].limbo.count, __ATOMIC_RELAXED);
	return count;
}

int dbos_snap_stats(const struct dbos *dbos, struct dbos_snap_stats *stats)
{
	const struct snappy *snappy = dbos->snappy;
	const struct snappy_counters *counters;

	*stats = (struct dbos_snap_stats){ 0 };
	if (!snappy)
		return 0;
	counters = &snappy->counters;
	*stats = (struct dbos_snap_stats){
		.created = counters->created, .released = counters->released,
		.kept = snappy->branches - snappy->ready_count - counters->live,
		.tables = counters->tables, .pages = counters->pages,
		.stayed = counters->stayed, .splits = counters->splits, .reused = counters->reused,
		.in_flight = counters->kept, .waited = counters->waited,
		.entries = counters->entries,
		.ready = snappy->ready_count, .unready = counters->unready,
		.mirrored = counters->mirrored, .joined = counters->joined,
		.dropped = counters->dropped, .live = counters->live, .epoch = snappy->epoch,
		.oldest = counters->oldest,
		.faults = counters->faults, .flushes = counters->flushes,
		.lazy_flushes = counters->lazy_flushes, .held = counters->held,
		.waiting = dbos->inflights.waiting, .resting = snappy->resting_count,
		.steps = counters->steps, .longest_step = counters->longest_step,
		.limbo = limbo_of(&dbos->frames),
	};
	memcpy(stats->create_time, counters->create_time, sizeof(stats->create_time));
	memcpy(stats->step_time, counters->step_time, sizeof(stats->step_time));
	memcpy(stats->release_time, counters->release_time, sizeof(stats->release_time));
	return 0;
}
