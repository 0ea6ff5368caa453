// SPDX-License-Identifier: BSD-2-Clause
/* Transactions, alone first; then they go on while snapshots are summed up, one by one. */
#include <pthread.h>
#include <sys/sysinfo.h>

#include "costs.h"

#define RECORD	64
#define RECORDS 4		/* that a transaction changes */
#define LOOKS	16		/* it also looks at that many */

static struct {
	pthread_t thread;
	const struct place *place;
	bool ready, end;
	uint64_t count, read;
} transactions;

static void transact(uint64_t *state)
{
	for (unsigned int i = 0; i < LOOKS; i++) {
		volatile uint64_t *record;

		*state = *state * 6364136223846793005ull + 1442695040888963407ull;
		record = (void *)(memory + (*state >> 20 & (size - 1) & ~(RECORD - 1ul)));
		if (i < RECORDS)
			*record += 1;
		else
			transactions.read += *record;
	}
}

static uint64_t transactions_so_far(void)
{
	return __atomic_load_n(&transactions.count, __ATOMIC_RELAXED);
}

static void *transact_on(void *arg)
{
	uint64_t state = 1;

	transactions.place->enter();
	__atomic_store_n(&transactions.ready, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&transactions.end, __ATOMIC_ACQUIRE)) {
		transact(&state);
		__atomic_store_n(&transactions.count, transactions.count + 1, __ATOMIC_RELAXED);
	}
	transactions.place->leave();
	return arg;
}

static void begin(const struct place *place)
{
	memset(&transactions, 0, sizeof(transactions));
	transactions.place = place;
	check(pthread_create(&transactions.thread, NULL, transact_on, NULL) == 0,
	      "pthread_create");
	while (!__atomic_load_n(&transactions.ready, __ATOMIC_ACQUIRE))
		;
}

/* The sum has each transaction as a whole or, of those that are under way, in part: no less. */
static void scan_once(const struct method *method, uint64_t *least, bool print)
{
	uint64_t start, age, sum;

	make_ready(method);
	start = now();
	method->take(method);
	age = now() - start;
	sum = method->scan();
	check(sum >= *least, "the sum was %lu and is %lu", *least, sum);
	*least = sum;
	method->drop();
	if (print)
		printf("cost %s-age-%zu %lu 1\n", method->name, size >> 20, age);
}

/* What there is to lose: of what memory costs in this place, snapshots or not. */
static void measure_alone(const struct method *method, bool print)
{
	uint64_t start = milliseconds(), before = transactions_so_far(), took;

	do {
		took = milliseconds() - start;
	} while (took < SECONDS * 500);
	before = transactions_so_far() - before;
	if (print)
		printf("rate %s-alone %lu %lu\n", method->name, before, took);
}

void measure_both(const struct place *place, const struct method *method, bool print)
{
	uint64_t start, before, took, scans = 0, least = 0;

	/* On one processor who waits does so until the other's turn. */
	if (!method->scan || (method->waits && get_nprocs() == 1))
		return;
	begin_method(method);
	begin(place);
	measure_alone(method, print);
	before = transactions_so_far();
	start = milliseconds();
	do {
		scan_once(method, &least, print);
		scans++;
		took = milliseconds() - start;
	} while (took < SECONDS * 1000);
	__atomic_store_n(&transactions.end, true, __ATOMIC_RELEASE);
	check(pthread_join(transactions.thread, NULL) == 0, "pthread_join");
	end_method(method);
	if (!print)
		return;
	printf("rate %s-transactions %lu %lu\n", method->name, transactions.count - before, took);
	printf("rate %s-scans %lu %lu\n", method->name, scans, took);
}
