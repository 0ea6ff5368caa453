// SPDX-License-Identifier: BSD-2-Clause
/*
 * disjoint: a guest faults memory in again and again while the host invalidates other memory of
 * the process without a pause. None of these faults may be put off: they have nothing to do with
 * each other.
 */
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "device.h"

#define PAGES  64
#define SIZE   (PAGES * DBOS_PAGE_SIZE)
#define ROUNDS 100

static volatile bool stop;
static volatile uint64_t invalidations;

static volatile char *map(void)
{
	void *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED && madvise(p, SIZE, MADV_NOHUGEPAGE) == 0, "mmap");
	return p;
}

static void *invalidate(void *arg)
{
	volatile char *p = arg;

	while (!stop) {
		for (int i = 0; i < PAGES; i++)
			p[i * DBOS_PAGE_SIZE] = 1;
		check(madvise((void *)p, SIZE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
		invalidations++;
	}
	return NULL;
}

int main(void)
{
	volatile char *mine = map();
	struct dbos_vcpu_stats before, after;
	struct dune_stats vm_before, vm_after;
	uint64_t faults, retries;
	pthread_t thread;

	check_ok(dbos_init());
	check(pthread_create(&thread, NULL, invalidate, (void *)map()) == 0, "pthread_create");
	check_ok(dbos_enter());
	while (invalidations < 10)
		;
	check_ok(dbos_vcpu_stats(&before));
	vm_before = device_stats();
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < PAGES; i++)
			mine[i * DBOS_PAGE_SIZE] = 1;
		check(madvise((void *)mine, SIZE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	}
	check_ok(dbos_vcpu_stats(&after));
	vm_after = device_stats();
	check_ok(dbos_leave());
	stop = true;
	check(pthread_join(thread, NULL) == 0, "pthread_join");

	faults = after.faults - before.faults;
	retries = vm_after.retries - vm_before.retries;
	check(faults >= ROUNDS * PAGES, "only %lu faults", faults);
	check(vm_after.invalidations - vm_before.invalidations >= 2 * ROUNDS,
	      "only %llu invalidations", vm_after.invalidations - vm_before.invalidations);
	/* khugepaged and the like may look at our memory now and then. */
	check(retries <= faults / 200, "%lu of %lu faults were put off", retries, faults);
	printf("disjoint: ok, %lu faults, %lu retries, %llu invalidations\n", faults, retries,
	       vm_after.invalidations - vm_before.invalidations);
	return 0;
}
