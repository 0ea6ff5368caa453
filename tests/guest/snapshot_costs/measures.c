// SPDX-License-Identifier: BSD-2-Clause
/* What one snapshot costs, and the writes behind it. */
#include <dbos/snapshot.h>

#include "costs.h"

#define WRITES 256		/* behind one snapshot, to ranges that were written before */

static void print_cost(const char *name, const char *what, uint64_t ticks, uint64_t events)
{
	printf("cost %s%s-%zu %lu %lu\n", name, what, size >> 20, ticks, events);
}

/* Pages of one 2 MiB after the other; the first of each is written before. */
static uint64_t write_pages(void)
{
	size_t ranges = size / RANGE;
	uint64_t start;

	for (size_t i = 0; i < ranges; i++)
		memory[i * RANGE] = i;
	start = now();
	for (size_t i = 0; i < WRITES; i++)
		memory[i % ranges * RANGE + (1 + i / ranges) * PAGE] = i;
	return now() - start;
}

static uint64_t entries(void)
{
	struct dbos_snap_stats stats = { 0 };

	if (dbos_instance())
		check_ok(dbos_snap_stats(dbos_instance(), &stats));
	return stats.entries;
}

void measure_create(const struct place *place, const struct method *method, bool print)
{
	uint64_t start, created, written, before, after;

	(void)place;
	begin_method(method);
	make_ready(method);
	before = entries();
	start = now();
	method->take(method);
	created = now() - start;
	after = entries();
	written = write_pages();
	method->drop();
	end_method(method);
	if (!print)
		return;
	print_cost(method->name, "", created, 1);
	print_cost(method->name, "-write", written, WRITES);
	if (after != before)
		printf("bytes %s-%zu %lu\n", method->name, size >> 20, 8 * (after - before));
}

static void write_percent(size_t percent)
{
	for (size_t i = 0; i < size / PAGE * percent / 100; i++)
		*scattered(i) = i;
}

void measure_memory(const struct place *place, const struct method *method, bool print)
{
	static const size_t percents[] = { 1, 10 };

	(void)place;
	for (size_t i = 0; i < 2; i++) {
		struct weight weight;

		begin_method(method);
		make_ready(method);
		method->take(method);
		write_percent(percents[i]);
		method->weigh(&weight);
		method->drop();
		end_method(method);
		if (print)
			printf("weight %s-%zu %lu %lu\n", method->name, percents[i], weight.tables,
			       weight.pages);
	}
}

void measure_cycle(const struct place *place, const struct method *method, bool print)
{
	uint64_t start, took;

	(void)place;
	begin_method(method);
	start = now();
	make_ready(method);
	method->take(method);
	write_percent(1);
	method->drop();
	took = now() - start;
	end_method(method);
	if (print)
		print_cost(method->name, "-cycle", took, 1);
}

/*
 * What a program would do that wants to be saved all the time: as many snapshots as there is time
 * for, beside a writer who comes to 1 of a hundred pages in a second. Each is written beside.
 */
void measure_sustained(const struct place *place, const struct method *method, bool print)
{
	uint64_t start = milliseconds(), took, snapshots = 0, written = 0;

	(void)place;
	begin_method(method);
	do {
		make_ready(method);
		method->take(method);
		took = milliseconds() - start;
		for (; written < size / PAGE / 100 * took / 1000; written++)
			*scattered(written) = written;
		method->drop();
		snapshots++;
	} while (took < SECONDS * 1000);
	end_method(method);
	if (print)
		printf("rate %s-sustained %lu %lu\n", method->name, snapshots, took);
}
