// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_cycles CYCLES: S10. Snapshots are made, one of a hundred pages is written, some on the
 * snapshot too, and they are released, so often with each engine. Twenty times on the way, what the
 * process has:
 *
 *	account ENGINE CYCLE DESCRIPTORS PAGES RESIDENT
 *
 * and in the end how many frames of libdbos's pool are free: of 10,000 cycles none stays behind.
 * The first cycles are not counted; what is kept for the next time is there then.
 */
#include <unistd.h>

#include <dbos/mm.h>

#include "account.h"
#include "engines.h"
#include "member.h"

#define PAGE	 DBOS_PAGE_SIZE
#define PAGES	 2048ul
#define WRITES	 (PAGES / 100)
#define PRIVATE	 2
#define WARM_UP	 100
#define ACCOUNTS 20

static struct dbos *dbos;
static uint64_t (*pages)[PAGE / sizeof(uint64_t)];
static uint64_t written[PAGES];		/* what the last write to each page put there */
static uint64_t state = 1;

static uint64_t draw(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % PAGES;
}

/* What a snapshot has of its own goes with it. */
static void *write_privately(void *arg)
{
	for (unsigned int i = 0; i < PRIVATE; i++)
		pages[draw()][0] = i;
	return arg;
}

static void cycle(const struct engine *engine)
{
	uint64_t page = draw(), before = written[page], value;
	struct dbos_snap *snap;

	check_ok(engine_create(engine, dbos, &snap));
	written[page] = state;
	pages[page][0] = state;
	for (unsigned int i = 1; i < WRITES; i++) {
		uint64_t other = draw();

		written[other] = state;
		pages[other][0] = state;
	}
	check_ok(dbos_snap_read(snap, &pages[page][0], &value, sizeof(value)));
	check(value == before, "the snapshot has %#lx, not %#lx", value, before);
	check_ok(dbos_snap_run(snap, write_privately, NULL, NULL));
	check_ok(dbos_snap_release(snap));
}

static void print_account(const char *engine, unsigned long done)
{
	struct account account = take_account();

	printf("account %s %lu %ld %ld %ld\n", engine, done, account.descriptors, account.pages,
	       account.resident);
}

static void run_cycles(const struct engine *engine, unsigned long cycles)
{
	for (unsigned long i = 0; i < WARM_UP; i++)
		cycle(engine);
	for (unsigned long i = 0; i < cycles; i++) {
		if (i % (cycles / ACCOUNTS) == 0)
			print_account(engine->name, i);
		cycle(engine);
	}
	print_account(engine->name, cycles);
	for (unsigned long i = 0; i < PAGES; i++)
		check(pages[i][0] == written[i], "page %lu is %#lx", i, pages[i][0]);
}

/* A pool that has been emptied is in another order: last of all. */
static unsigned long count_free_frames(void)
{
	unsigned long count = 0;

	while (dbos_frame_alloc(dbos))
		count++;
	return count;
}

int main(int argc, char **argv)
{
	unsigned long cycles = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	struct dbos_region *region;
	struct dbos_snap_stats stats;

	check(cycles >= ACCOUNTS, "snapshot_cycles CYCLES, at least %d", ACCOUNTS);
	setvbuf(stdout, NULL, _IOLBF, 0);
	pages = enter_with_member(PAGES * PAGE, &region);
	dbos = dbos_instance();
	memset(pages, 0, PAGES * PAGE);
	for (unsigned int i = 0; i < ENGINES; i++)
		run_cycles(&engines[i], cycles);
	check_ok(dbos_snap_stats(dbos, &stats));
	check(stats.created == stats.released && !stats.kept, "%lu made, %lu released, %lu kept",
	      stats.created, stats.released, stats.kept);
	printf("free: %lu\n", count_free_frames());
	check_ok(dbos_leave());
	printf("cycles: ok\n");
	return 0;
}
