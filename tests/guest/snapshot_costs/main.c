// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_costs WHERE WHAT REPETITIONS MIB: what snapshots of so much memory cost, by the
 * time-stamp counter, which counts instructions where the engine does. WHERE is "native", by fork()
 * and by handlers of write faults, "huge", by fork() with huge pages, or "inside", with each engine
 * of dbos_snap_create(), and with "lazy" where the snapshot gets the copies ("prioritised"). All
 * methods there take turns; the first round is not printed.
 *
 *	cost NAME TICKS EVENTS		one sample: TICKS were spent on that many
 *	each NAME TICKS...		samples of one
 *	bytes NAME N			of page tables were read and written for one snapshot
 *	weight NAME TABLES PAGES	what one has for itself, 4 KiB each
 *	rate NAME COUNT MS		so many in that time
 *
 * WHAT is one of
 *
 *	create	a snapshot (NAME is METHOD), and the first write to a page, where one of its 2 MiB
 *		was written before (METHOD-write)
 *	writes	the first write to each of some pages all over the memory (METHOD-1), and to each
 *		2 MiB (METHOD-table), where tables are copied late
 *	two	the same as METHOD-1 by two writers at once (METHOD-2)
 *	memory	behind writes to 1 and 10 of a hundred pages (METHOD-1, METHOD-10)
 *	cycle	a snapshot, writes to 1 of a hundred pages, and its end (METHOD-cycle)
 *	sustained  snapshots, as many as can be, beside writes to 1 of a hundred pages in a second
 *		(METHOD-sustained)
 *	both	transactions by one thread, alone (METHOD-alone), and while another takes a
 *		snapshot, sums it up and drops it (METHOD-transactions, METHOD-scans), each of an
 *		age when its scan begins (METHOD-age); "prioritised" only on two processors
 *
 * All pages are there before, in 4 KiB each for fork(); for libdbos as its tables have them then.
 */
#include <unistd.h>

#include "costs.h"

volatile char *memory;
size_t size;

static const struct {
	const char *name;
	void (*measure)(const struct place *place, const struct method *method, bool print);
} measures[] = {
	{ "create", measure_create }, { "writes", measure_writes }, { "two", measure_two },
	{ "memory", measure_memory }, { "cycle", measure_cycle },   { "both", measure_both },
	{ "sustained", measure_sustained },
};

static const struct place *const places[] = { &native, &huge, &inside };

uint64_t sum_up(void)
{
	const uint64_t *words = (const uint64_t *)memory;
	uint64_t sum = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum += words[i];
	return sum;
}

void fill(void)
{
	for (size_t i = 0; i < size; i += PAGE)
		memory[i] = 1;
}

int main(int argc, char **argv)
{
	const struct place *place = NULL;
	size_t what = 0, count = sizeof(measures) / sizeof(measures[0]);

	check(argc == 5, "where, what, how often, MiB?");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (strcmp(argv[1], places[i]->name) == 0)
			place = places[i];
	}
	while (what < count && strcmp(argv[2], measures[what].name))
		what++;
	check(place && what < count, "no such place, or measure");
	size = strtoul(argv[4], NULL, 0) << 20;
	check(size >= 4 * RANGE && !(size & (size - 1)), "as many MiB as a power of two, from 8");
	place->begin();
	for (int round = 0; round <= atoi(argv[3]); round++) {
		for (size_t i = 0; i < place->count; i++)
			measures[what].measure(place, &place->methods[i], round > 0);
	}
	place->end();
	return 0;
}
