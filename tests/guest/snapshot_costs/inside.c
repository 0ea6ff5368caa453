// SPDX-License-Identifier: BSD-2-Clause
/* dbos_snap_create(), with each engine, and with either way to copy. */
#include "costs.h"
#include "engines.h"

#define ENTRIES 512

static struct dbos *dbos;
static struct dbos_snap *snap;

static void take(const struct method *method)
{
	check_ok(dbos_snap_create(dbos, method->flags, &snap));
}

/* What the engine instant wants. */
static void make_table_ready(void)
{
	check_ok(dbos_snap_prepare(dbos, 1));
}

static void drop(void)
{
	check_ok(dbos_snap_release(snap));
}

static void *sum_here(void *arg)
{
	*(uint64_t *)arg = sum_up();
	return NULL;
}

static uint64_t scan(void)
{
	uint64_t sum;

	check_ok(dbos_snap_run(snap, sum_here, &sum, NULL));
	return sum;
}

static void *root_here(void *arg)
{
	*(uint64_t *)arg = dbos_read_cr3() & DBOS_PTE_ADDR;
	return NULL;
}

/* What is below one of two tables and not below the other, at the memory's addresses. */
static void compare(uint64_t own, uint64_t theirs, uint64_t va, unsigned int level,
		    struct weight *weight)
{
	const uint64_t *a = dbos_frame_memory(dbos, own), *b = dbos_frame_memory(dbos, theirs);
	uint64_t step = 1ul << (12 + 9 * (level - 1)), end = (uint64_t)memory + size;
	uint64_t start = (uint64_t)memory;

	weight->tables++;
	for (unsigned int i = 0; i < ENTRIES; i++, va += step) {
		if (va + step <= start || va >= end ||
		    (a[i] & DBOS_PTE_ADDR) == (b[i] & DBOS_PTE_ADDR))
			continue;
		check(level == 1 || !((a[i] | b[i]) & DBOS_PTE_PS), "a leaf of 2 MiB");
		if (level == 1)
			weight->pages++;
		else
			compare(a[i] & DBOS_PTE_ADDR, b[i] & DBOS_PTE_ADDR, va, level - 1, weight);
	}
}

static void weigh(struct weight *weight)
{
	uint64_t own, theirs;

	*weight = (struct weight){ 0, 0 };
	root_here(&own);
	check_ok(dbos_snap_run(snap, root_here, &theirs, NULL));
	compare(own, theirs, 0, 4, weight);
}

/* The engine "lazy", but the copy is the snapshot's: see dbos_snap_copying(). */
static void prioritise(void)
{
	check_ok(dbos_snap_copying(dbos, DBOS_SNAP_PRIORITISED));
}

static void move(void)
{
	check_ok(dbos_snap_copying(dbos, DBOS_SNAP_MOVE));
}

static struct method methods[ENGINES + 1] = {
	[ENGINES] = { .name = "prioritised", .prepare = prioritise, .take = take, .drop = drop,
		      .scan = scan, .weigh = weigh, .forget = move, .waits = true },
};

static void enter(void)
{
	check_ok(dbos_enter());
}

static void leave(void)
{
	check_ok(dbos_leave());
}

/* Behind the first snapshot its tables have 4 KiB everywhere, as fork() finds them. */
static void split_all(void)
{
	take(&methods[0]);
	for (size_t i = 0; i < size; i += RANGE)
		memory[i] = 1;
	drop();
}

static void begin(void)
{
	struct dbos_region *region;
	struct dbos_region_info info;

	for (size_t i = 0; i < ENGINES; i++) {
		methods[i] = (struct method){ .name = engines[i].name, .take = take, .drop = drop,
					      .scan = scan, .weigh = weigh,
					      .flags = engines[i].flags };
		if (engines[i].flags & DBOS_SNAP_INSTANT)
			methods[i].make_ready = make_table_ready;
	}
	check_ok(dbos_init());
	dbos = dbos_instance();
	enter();
	check_ok(dbos_region_create(dbos, NULL, size, size,
				    DBOS_REGION_WRITABLE | DBOS_REGION_HUGE, &region));
	dbos_region_info(region, &info);
	memory = info.base;
	check_ok(dbos_snap_add(dbos, region));
	fill();
	split_all();
}

const struct place inside = { "inside", begin, enter, leave, leave, methods, ENGINES + 1 };
