// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_costs WHERE REPETITIONS MIB: what a snapshot of so much memory costs, and the first
 * write to a page behind it, by the time-stamp counter, which counts instructions where the engine
 * does. WHERE is "native", by fork(), or "inside", by dbos_snap_create() with each engine. A
 * table that is ready has been made before, which is not counted.
 *
 *	cost NAME-MIB TICKS EVENTS	one sample: TICKS were spent on that many
 *	bytes NAME-MIB N		so much of page tables was read and written for one
 *
 * All pages are there before, in 4 KiB each for fork(); for libdbos as its tables have them then:
 * it has written a page of each 2 MiB behind a first snapshot.
 */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/snapshot.h>

#include "check.h"

#define PAGE   DBOS_PAGE_SIZE
#define RANGE  DBOS_HUGE_SIZE
#define WRITES 256

static struct dbos *dbos;
static volatile char *memory;
static size_t size;

static uint64_t now(void)
{
	uint32_t lo, hi;

	/* Not before what comes first, nor behind what comes next (SDM 2B, RDTSC). */
	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static void print(const char *name, uint64_t ticks, uint64_t events)
{
	printf("cost %s-%zu %lu %lu\n", name, size >> 20, ticks, events);
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

/* The child goes on until it is told that its parent has written. */
static void fork_once(bool print_it)
{
	uint64_t start, forked, written;
	int ends[2], status;
	char end;
	pid_t child;

	check(pipe(ends) == 0, "pipe");
	start = now();
	child = fork();
	if (child == 0) {
		close(ends[1]);
		_exit(read(ends[0], &end, 1) < 0);
	}
	forked = now() - start;
	check(child > 0, "fork");
	written = write_pages();
	close(ends[0]);
	close(ends[1]);
	check(waitpid(child, &status, 0) == child && status == 0, "the child failed");
	if (!print_it)
		return;
	print("fork", forked, 1);
	print("fork-write", written, WRITES);
}

static void snapshot_once(unsigned int flags, const char *name, const char *write_name,
			  bool print_it)
{
	struct dbos_snap_stats before, after;
	uint64_t start, created, written;
	struct dbos_snap *snap;

	if (flags & DBOS_SNAP_INSTANT)
		check_ok(dbos_snap_prepare(dbos, 1));
	check_ok(dbos_snap_stats(dbos, &before));
	start = now();
	check_ok(dbos_snap_create(dbos, flags, &snap));
	created = now() - start;
	check_ok(dbos_snap_stats(dbos, &after));
	written = write_pages();
	check_ok(dbos_snap_release(snap));
	if (!print_it)
		return;
	print(name, created, 1);
	print(write_name, written, WRITES);
	printf("bytes %s-%zu %lu\n", name, size >> 20, 8 * (after.entries - before.entries));
}

static void begin(bool inside)
{
	struct dbos_region *region;
	struct dbos_region_info info;

	if (inside) {
		check_ok(dbos_region_create(dbos, NULL, size, size,
					    DBOS_REGION_WRITABLE | DBOS_REGION_HUGE, &region));
		dbos_region_info(region, &info);
		memory = info.base;
		check_ok(dbos_snap_add(dbos, region));
	} else {
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
		check(memory != MAP_FAILED, "no memory");
		madvise((void *)memory, size, MADV_NOHUGEPAGE);
	}
	for (size_t i = 0; i < size; i += PAGE)
		memory[i] = 1;
}

int main(int argc, char **argv)
{
	bool inside = argc > 3 && strcmp(argv[1], "inside") == 0;

	check(argc == 4 && (inside || strcmp(argv[1], "native") == 0), "where, how often, MiB?");
	size = strtoul(argv[3], NULL, 0) << 20;
	check(size >= WRITES * PAGE * 2, "too little memory");
	if (inside) {
		check_ok(dbos_init());
		dbos = dbos_instance();
		check_ok(dbos_enter());
	}
	begin(inside);
	/* The first round is not counted: it splits what has not been split. */
	for (int i = 0; i <= atoi(argv[2]); i++) {
		if (!inside) {
			fork_once(i > 0);
			continue;
		}
		snapshot_once(0, "lazy", "lazy-write", i > 0);
		snapshot_once(DBOS_SNAP_EPOCH, "epoch", "epoch-write", i > 0);
		snapshot_once(DBOS_SNAP_INSTANT, "instant", "instant-write", i > 0);
	}
	return 0;
}
