// SPDX-License-Identifier: BSD-2-Clause
/* The first writes behind a snapshot, each by itself: what most cost, and what the worst do. */
#include <pthread.h>

#include "costs.h"

#define EACH	1024
#define OF_TWO	256		/* each; they wait for one another */

static struct writer {
	pthread_t thread;
	const struct place *place;
	size_t first, step, count;
	bool ready;
	uint64_t ticks[EACH];
} writers[WRITERS];

static bool go;

static void write_each(struct writer *writer)
{
	for (size_t i = 0; i < writer->count; i++) {
		volatile char *page = scattered(writer->first + i * writer->step);
		uint64_t start = now();

		*page = i;
		writer->ticks[i] = now() - start;
	}
}

static void *write_when_told(void *arg)
{
	struct writer *writer = arg;

	writer->place->enter();
	__atomic_store_n(&writer->ready, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
		;
	write_each(writer);
	writer->place->leave();
	return NULL;
}

static void print_each(const struct method *method, const struct writer *writer)
{
	printf("each %s-%zu", method->name, writer->step);
	for (size_t i = 0; i < writer->count; i++)
		printf(" %lu", writer->ticks[i]);
	printf("\n");
}

static void measure_one(const struct method *method, bool print)
{
	writers[0] = (struct writer){ .step = 1, .count = EACH };
	make_ready(method);
	method->take(method);
	write_each(&writers[0]);
	method->drop();
	if (print)
		print_each(method, &writers[0]);
}

/* Each has its own pages, in the same tables. */
void measure_two(const struct place *place, const struct method *method, bool print)
{
	if (!method->scan)
		return;
	begin_method(method);
	go = false;
	for (size_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){
			.place = place, .first = i, .step = WRITERS, .count = OF_TWO,
		};
		check(pthread_create(&writers[i].thread, NULL, write_when_told, &writers[i]) == 0,
		      "pthread_create");
		while (!__atomic_load_n(&writers[i].ready, __ATOMIC_ACQUIRE))
			;
	}
	make_ready(method);
	method->take(method);
	__atomic_store_n(&go, true, __ATOMIC_RELEASE);
	for (size_t i = 0; i < WRITERS; i++)
		check(pthread_join(writers[i].thread, NULL) == 0, "pthread_join");
	method->drop();
	end_method(method);
	for (size_t i = 0; print && i < WRITERS; i++)
		print_each(method, &writers[i]);
}

/* The first write to each 2 MiB: where tables are copied late, it is then. */
static void measure_tables(const struct method *method, bool print)
{
	make_ready(method);
	method->take(method);
	for (size_t i = 0; i < size; i += RANGE) {
		uint64_t start = now(), took;

		memory[i] = 1;
		took = now() - start;
		if (print)
			printf("cost %s-table-%zu %lu 1\n", method->name, size >> 20, took);
	}
	method->drop();
}

void measure_writes(const struct place *place, const struct method *method, bool print)
{
	(void)place;
	begin_method(method);
	measure_one(method, print);
	end_method(method);
	begin_method(method);
	measure_tables(method, print);
	end_method(method);
}
