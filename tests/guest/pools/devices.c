// SPDX-License-Identifier: BSD-2-Clause
/*
 * B6 and B7, on a disk in memory that fails in every way that disks have: an error, a short
 * transfer, and the power going, which leaves of each sector written since the last sync what was
 * there, or what was to be there.
 */
#include <errno.h>

#include "pools.h"

#define SECTOR	512
#define SECTORS (DBOS_PAGE_SIZE / SECTOR)

static struct {
	char *now, *synced;
	uint64_t one_in;	/* of so many transfers one fails; 0: none */
	uint64_t until_cut;	/* transfers; then there is no power */
	struct random random;
} disk;

static int fail(void)
{
	static const int ways[] = { -EIO, -ENOSPC, SECTOR };

	return ways[draw(&disk.random, 3)];
}

static int copy(struct dbos_pool_transfer *transfer)
{
	char *page = disk.now + transfer->page * DBOS_PAGE_SIZE;

	if (!disk.until_cut)
		return -EIO;
	disk.until_cut--;
	if (disk.one_in && !draw(&disk.random, disk.one_in)) {
		memcpy(transfer->write ? page : transfer->memory,
		       transfer->write ? transfer->memory : page, SECTOR);
		return fail();
	}
	if (transfer->write)
		memcpy(page, transfer->memory, DBOS_PAGE_SIZE);
	else
		memcpy(transfer->memory, page, DBOS_PAGE_SIZE);
	return DBOS_PAGE_SIZE;
}

static void transfer(void *arg, struct dbos_pool_transfer *transfers, size_t count)
{
	(void)arg;
	for (size_t i = 0; i < count; i++)
		transfers[i].result = copy(&transfers[i]);
}

static int sync_disk(void *arg)
{
	(void)arg;
	if (!disk.until_cut)
		return -EIO;
	memcpy(disk.synced, disk.now, 2 * PAGES * DBOS_PAGE_SIZE);
	return 0;
}

static const struct dbos_pool_device device = { .transfer = transfer, .sync = sync_disk };

static struct dbos_pool *open_disk(unsigned int flags)
{
	struct dbos_pool_config config = configuration(flags);
	struct dbos_pool *pool;

	config.device = &device;
	check_ok(dbos_pool_open(&config, &pool));
	return pool;
}

static struct dbos_pool *new_disk(void)
{
	struct dbos_pool *pool;

	disk.now = calloc(2 * PAGES, DBOS_PAGE_SIZE);
	disk.synced = calloc(2 * PAGES, DBOS_PAGE_SIZE);
	check(disk.now && disk.synced, "no memory");
	disk.one_in = 0;
	disk.until_cut = UINT64_MAX;
	disk.random.state = draw(&random_, 1ul << 32);
	pool = open_disk(DBOS_POOL_FORMAT);
	make_pages(pool);
	check_ok(dbos_pool_flush(pool));
	return pool;
}

static void free_disk(void)
{
	free(disk.now);
	free(disk.synced);
}

/* An error is one that the disk has. */
static bool refused(int ret)
{
	check(!ret || ret == -EIO || ret == -ENOSPC, "a failing disk: %s", strerror(-ret));
	return ret;
}

static void operate(struct dbos_pool *pool, uint64_t *oracle)
{
	uint64_t page = FIRST + draw(&random_, PAGES);
	struct dbos_pin pin;

	if (refused(dbos_pool_pin(pool, page, &pin)))
		return;
	check(check_page(pin.content, page, "pinned") == oracle[page],
	      "page %lu is not of generation %lu", page, oracle[page]);
	if (draw(&random_, 2)) {
		fill_page(pin.content, page, ++oracle[page]);
		dbos_pool_unpin(pool, &pin, true);
	} else {
		dbos_pool_unpin(pool, &pin, false);
	}
}

static void check_all(struct dbos_pool *pool, const uint64_t *oracle)
{
	for (uint64_t page = FIRST; page < END; page++) {
		struct dbos_pin pin;

		check_ok(dbos_pool_pin_shared(pool, page, &pin));
		check(check_page(pin.content, page, "in the end") == oracle[page],
		      "page %lu is not of generation %lu", page, oracle[page]);
		dbos_pool_unpin_shared(pool, &pin);
	}
}

/* B7 */
void errors_lose_nothing(void)
{
	uint64_t *oracle = calloc(END, sizeof(*oracle));
	struct dbos_pool *pool = new_disk();
	struct dbos_pool_stats stats;

	for (uint64_t i = 0; i < rounds * 20; i++) {
		disk.one_in = 1 + draw(&random_, 20);
		operate(pool, oracle);
		if (!draw(&random_, 200))
			refused(dbos_pool_flush(pool));
	}
	disk.one_in = 0;
	check_frames(pool);
	dbos_pool_stats(pool, &stats);
	check(stats.errors > rounds, "%lu errors only", stats.errors);
	check_all(pool, oracle);
	check_ok(dbos_pool_close(pool));
	pool = open_disk(0);
	check_all(pool, oracle);
	dbos_pool_abandon(pool);
	free_disk();
	free(oracle);
}

/* What is on the disk when the power is back. */
static void lose_power(void)
{
	for (uint64_t i = 0; i < 2 * PAGES * SECTORS; i++) {
		uint64_t at = i * SECTOR;

		if (draw(&disk.random, 2))
			memcpy(disk.now + at, disk.synced + at, SECTOR);
	}
	disk.until_cut = UINT64_MAX;
}

/* Each page is as it was flushed, or as later; or, if it was written since, called damaged. */
static void check_after_cut(const uint64_t *flushed, const uint64_t *last)
{
	struct dbos_pool_config config = configuration(0);
	struct dbos_pool *pool;
	int ret;

	config.device = &device;
	ret = dbos_pool_open(&config, &pool);
	if (ret == -EILSEQ)
		return;
	check_ok(ret);
	for (uint64_t page = FIRST; page < END; page++) {
		uint64_t generation;
		struct dbos_pin pin;

		ret = dbos_pool_pin(pool, page, &pin);
		if (ret == -EILSEQ && last[page] > flushed[page])
			continue;
		check_ok(ret);
		generation = check_page(pin.content, page, "after the cut");
		check(generation >= flushed[page] && generation <= last[page],
		      "page %lu is of generation %lu, not %lu to %lu", page, generation,
		      flushed[page], last[page]);
		dbos_pool_unpin(pool, &pin, false);
	}
	dbos_pool_abandon(pool);
}

static void cut_once(void)
{
	uint64_t *last = calloc(END, sizeof(*last)), *flushed = calloc(END, sizeof(*flushed));
	struct dbos_pool *pool = new_disk();

	disk.until_cut = draw(&random_, 3000);
	while (disk.until_cut) {
		operate(pool, last);
		if (!draw(&random_, 300) && !refused(dbos_pool_flush(pool)))
			memcpy(flushed, last, END * sizeof(*last));
	}
	dbos_pool_abandon(pool);
	lose_power();
	check_after_cut(flushed, last);
	free_disk();
	free(last);
	free(flushed);
}

/* B6 */
void a_power_cut_is_survived(void)
{
	for (uint64_t i = 0; i < rounds / 10 + 1; i++)
		cut_once();
}
