// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <unistd.h>

#include "pools.h"

/* splitmix64 */
uint64_t draw(struct random *random, uint64_t below)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) % below;
}

static uint64_t word(uint64_t page, uint64_t generation, uint64_t i)
{
	return page << 44 | generation << 12 | i;
}

void fill_page(void *content, uint64_t page, uint64_t generation)
{
	uint64_t *words = content;

	for (uint64_t i = 0; i < WORDS; i++)
		__atomic_store_n(&words[i], word(page, generation, i), __ATOMIC_RELAXED);
}

/* Of what may change meanwhile. */
uint64_t generation_of(const void *content, uint64_t page, bool *whole)
{
	const uint64_t *words = content;
	uint64_t generation = __atomic_load_n(&words[0], __ATOMIC_RELAXED) << 20 >> 32;

	*whole = true;
	for (uint64_t i = 0; i < WORDS; i++)
		*whole &= __atomic_load_n(&words[i], __ATOMIC_RELAXED) ==
			  word(page, generation, i);
	return generation;
}

uint64_t check_page(const void *content, uint64_t page, const char *how)
{
	bool whole;
	uint64_t generation = generation_of(content, page, &whole);

	check(whole, "page %lu, %s: not whole, or another's", page, how);
	return generation;
}

struct dbos_pool_config configuration(unsigned int flags)
{
	return (struct dbos_pool_config){
		.kind = kind, .dbos = dbos, .pages = 2 * PAGES, .frames = FRAMES, .batch = 8,
		.flags = flags,
	};
}

/* Past the host's page cache where the file system can do that. */
static int open_file(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);

	if (fd < 0)
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	check(fd >= 0, "%s cannot be opened", path);
	return fd;
}

void make_pages(struct dbos_pool *pool)
{
	for (uint64_t page = FIRST; page < END; page++) {
		struct dbos_pin pin;

		check_ok(dbos_pool_new(pool, &pin));
		check(pin.page == page, "page %lu is new, not %lu", pin.page, page);
		fill_page(pin.content, page, 0);
		dbos_pool_unpin(pool, &pin, true);
	}
}

struct dbos_pool *new_store(int *fd, uint64_t frames, uint64_t frames_max)
{
	struct dbos_pool_config config = configuration(DBOS_POOL_FORMAT);
	struct dbos_pool *pool;

	*fd = open_file();
	config.files = fd;
	config.file_count = 1;
	config.frames = frames;
	config.frames_max = frames_max;
	check_ok(dbos_pool_open(&config, &pool));
	make_pages(pool);
	return pool;
}

uint64_t sum_of_file(int fd)
{
	struct dbos_pool_config config = configuration(0);
	struct dbos_pool *pool;
	uint64_t sum = 0;

	config.kind = kind == DBOS_POOL_HASH ? DBOS_POOL_MADVISE : DBOS_POOL_HASH;
	config.files = &fd;
	config.file_count = 1;
	check_ok(dbos_pool_open(&config, &pool));
	for (uint64_t page = FIRST; page < END; page++) {
		struct dbos_pin pin;

		check_ok(dbos_pool_pin_shared(pool, page, &pin));
		sum += check_page(pin.content, page, "in the file");
		dbos_pool_unpin_shared(pool, &pin);
	}
	check_ok(dbos_pool_close(pool));
	return sum;
}

void check_frames(const struct dbos_pool *pool)
{
	static bool seen[2 * PAGES + 1];
	struct dbos_pool_stats stats;
	uint64_t used = 0;

	memset(seen, 0, sizeof(seen));
	for (uint64_t i = 0; i < pool->frames; i++) {
		uint64_t name = pool->frame[i].name, state = pool->frame[i].word & DBOS_POOL_STATE;

		if (!name)
			continue;
		check(!seen[name], "page %lu is in two frames", name - 1);
		check(!state || state == DBOS_POOL_MARKED, "page %lu is in state %lu", name - 1,
		      state);
		seen[name] = true;
		used++;
	}
	dbos_pool_stats(pool, &stats);
	check(used + stats.free_frames == stats.frames, "%lu frames used, %lu free, of %lu", used,
	      stats.free_frames, stats.frames);
}
