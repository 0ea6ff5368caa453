// SPDX-License-Identifier: BSD-2-Clause
/* What is promised while nothing goes wrong. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "pools.h"

/* B1, B2, B5: the file has all writes in the end. */
void updates_are_kept(void)
{
	struct dbos_pool_stats stats;
	struct dbos_pool *pool;
	uint64_t writes, sum;
	int fd;

	pool = new_store(&fd, FRAMES, FRAMES);
	users_begin(pool, rounds * 100);
	writes = users_end();
	check_frames(pool);
	dbos_pool_stats(pool, &stats);
	check(stats.evictions > rounds && stats.reads > rounds, "%lu evictions, %lu reads",
	      stats.evictions, stats.reads);
	check_ok(dbos_pool_close(pool));
	sum = sum_of_file(fd);
	check(sum == writes, "%lu writes are %lu in the file", writes, sum);
	close(fd);
}

/* All pages but @page, so that it is in no frame. */
static void read_all_but(struct dbos_pool *pool, uint64_t page)
{
	for (uint64_t other = FIRST; other < END; other++) {
		struct dbos_pool_read read;
		bool whole;

		if (other == page)
			continue;
		do {
			check_ok(dbos_pool_read(pool, other, &read));
			generation_of(read.content, other, &whole);
		} while (!dbos_pool_valid(pool, &read));
		check(whole, "page %lu, read: not whole, or another's", other);
	}
}

/* B3, directed: evicted clean, its frame filled, read again into whatever frame; all unchanged. */
void what_was_evicted_is_not_valid(void)
{
	struct dbos_pool *pool;
	int fd;

	pool = new_store(&fd, FRAMES, FRAMES);
	check_ok(dbos_pool_flush(pool));
	for (uint64_t i = 0; i < rounds / 10 + 1; i++) {
		uint64_t page = FIRST + draw(&random_, PAGES);
		struct dbos_pool_read before, after;
		struct dbos_pin pin;

		check_ok(dbos_pool_read(pool, page, &before));
		check(dbos_pool_valid(pool, &before), "a read is not valid at once");
		read_all_but(pool, page);
		check(!dbos_pool_valid(pool, &before), "valid, though it was evicted");
		check_ok(dbos_pool_read(pool, page, &after));
		check_page(after.content, page, "read again");
		check(!dbos_pool_valid(pool, &before), "valid, for it is back");
		check(!dbos_pool_upgrade(pool, &before, &pin), "what was evicted is pinned");
		check(dbos_pool_valid(pool, &after), "the second read is not valid");
	}
	check_frames(pool);
	check_ok(dbos_pool_close(pool));
	close(fd);
}

/* B5: every page is read by translations of all ages, in an order in which each must be stale. */
void who_is_stale_repairs(void)
{
	struct dbos_pool_stats stats;
	struct dbos_pool *pool;
	int fd;

	pool = new_store(&fd, FRAMES, FRAMES);
	users_begin(pool, rounds * 20);
	for (uint64_t i = 0; i < rounds / 20 + 1; i++)
		read_all_but(pool, 0);
	users_end();
	check_frames(pool);
	dbos_pool_stats(pool, &stats);
	check(stats.reads >= PAGES - FRAMES, "%lu reads", stats.reads);
	check_ok(dbos_pool_close(pool));
	close(fd);
}

/* B8: while others are at it. */
void frames_come_and_go(void)
{
	struct dbos_pool *pool;
	uint64_t writes;
	int fd;

	pool = new_store(&fd, FRAMES, 4 * FRAMES);
	users_begin(pool, UINT64_MAX);
	for (uint64_t i = 0; i < rounds; i++)
		check_ok(dbos_pool_resize(pool, 16 + draw(&random_, 4 * FRAMES - 15)));
	users_tell();
	writes = users_end();
	check_frames(pool);
	check(dbos_pool_resize(pool, 4 * FRAMES + 1) == -EINVAL, "more than frames_max");
	check_ok(dbos_pool_close(pool));
	check(sum_of_file(fd) == writes, "%lu writes are %lu in the file", writes,
	      sum_of_file(fd));
	close(fd);
}

static void check_pages_end(struct dbos_pool *pool)
{
	struct dbos_pin pins[4], pin;

	for (unsigned int i = 0; i < 4; i++)
		check_ok(dbos_pool_new(pool, &pins[i]));
	check(pins[3].page == END + 3, "page %lu is new", pins[3].page);
	for (unsigned int i = 0; i < 4; i++)
		dbos_pool_free(pool, &pins[i]);
	check_ok(dbos_pool_new(pool, &pin));
	check(pin.page == END + 3, "page %lu is new, and was not freed last", pin.page);
	dbos_pool_free(pool, &pin);
	for (uint64_t page = END; page < 2 * PAGES; page++) {
		check_ok(dbos_pool_new(pool, &pin));
		dbos_pool_unpin(pool, &pin, true);
	}
	check(dbos_pool_new(pool, &pin) == -ENOSPC, "a store without end");
}

void misuse_is_refused(void)
{
	struct dbos_pool_config config = configuration(0);
	struct dbos_pool *pool, *other;
	struct dbos_pool_read read;
	struct dbos_pin pin;
	int fd;

	pool = new_store(&fd, FRAMES, FRAMES);
	check(dbos_pool_read(pool, END, &read) == -ERANGE, "a page that is not there, read");
	check(dbos_pool_read(pool, 1ull << 50, &read) == -ERANGE, "a page of no store, read");
	check(dbos_pool_pin(pool, END, &pin) == -ERANGE, "a page that is not there, pinned");
	check_pages_end(pool);
	check_ok(dbos_pool_close(pool));
	config.files = &fd;
	config.file_count = 1;
	config.pages = PAGES;
	check(dbos_pool_open(&config, &other) == -E2BIG, "a store that is too large");
	check(ftruncate(fd, 0) == 0 && ftruncate(fd, 1 << 20) == 0, "ftruncate");
	check(dbos_pool_open(&config, &other) == -EILSEQ, "a file of zeroes");
	if (dbos) {
		check_ok(dbos_leave());
		check(dbos_pool_open(&config, &other) == -EINVAL, "addresses, from outside");
		check_ok(dbos_enter());
	}
	config.frames = 7;
	check(dbos_pool_open(&config, &other) == -EINVAL, "7 frames");
	close(fd);
}
