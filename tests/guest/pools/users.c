// SPDX-License-Identifier: BSD-2-Clause
/* Threads that use a pool. */
#include <pthread.h>

#include "pools.h"

static struct {
	struct dbos_pool *pool;
	uint64_t operations, writes, seed;
	int end;
	pthread_t thread[THREADS];
} users;

static void read_one(uint64_t page)
{
	struct dbos_pool_read read;
	bool whole;

	do {
		check_ok(dbos_pool_read(users.pool, page, &read));
		generation_of(read.content, page, &whole);
	} while (!dbos_pool_valid(users.pool, &read));
	check(whole, "page %lu, read: not whole, or another's", page);
}

static void share_one(uint64_t page)
{
	struct dbos_pin pin;

	check_ok(dbos_pool_pin_shared(users.pool, page, &pin));
	check_page(pin.content, page, "shared");
	dbos_pool_unpin_shared(users.pool, &pin);
}

static void write_pinned(struct dbos_pin *pin)
{
	uint64_t generation = check_page(pin->content, pin->page, "pinned");

	fill_page(pin->content, pin->page, generation + 1);
	dbos_pool_unpin(users.pool, pin, true);
	__atomic_fetch_add(&users.writes, 1, __ATOMIC_RELAXED);
}

static void write_one(uint64_t page)
{
	struct dbos_pin pin;

	check_ok(dbos_pool_pin(users.pool, page, &pin));
	write_pinned(&pin);
}

static void upgrade_one(uint64_t page)
{
	struct dbos_pool_read read;
	struct dbos_pin pin;

	check_ok(dbos_pool_read(users.pool, page, &read));
	if (dbos_pool_upgrade(users.pool, &read, &pin))
		write_pinned(&pin);
}

static void prefetch_some(uint64_t page)
{
	const uint64_t pages[] = { page, FIRST + page % PAGES, FIRST + (page + 7) % PAGES };

	check_ok(dbos_pool_prefetch(users.pool, pages, 3));
}

static void operate(struct random *random)
{
	uint64_t page = FIRST + draw(random, PAGES);

	switch (draw(random, 8)) {
	case 0 ... 2:
		read_one(page);
		break;
	case 3:
		share_one(page);
		break;
	case 4: case 5:
		write_one(page);
		break;
	case 6:
		upgrade_one(page);
		break;
	case 7:
		prefetch_some(page);
	}
}

static void check_interrupts(void)
{
	struct dbos_flush_stats stats;

	check_ok(dbos_flush_stats(dbos, &stats));
	check(!stats.interrupts, "%lu interrupts have been sent to flush", stats.interrupts);
}

static void *run(void *arg)
{
	struct random random = { (uint64_t)arg };

	if (dbos)
		check_ok(dbos_enter());
	for (uint64_t i = 0; i < users.operations && !load(users.end); i++)
		operate(&random);
	if (dbos) {
		check_interrupts();
		check_ok(dbos_leave());
	}
	return NULL;
}

void users_begin(struct dbos_pool *pool, uint64_t operations)
{
	users.pool = pool;
	users.operations = operations;
	users.writes = 0;
	store(users.end, 0);
	for (unsigned int i = 0; i < THREADS; i++)
		check(pthread_create(&users.thread[i], NULL, run,
				     (void *)draw(&random_, 1ul << 32)) == 0, "pthread_create");
}

void users_tell(void)
{
	store(users.end, 1);
}

uint64_t users_end(void)
{
	for (unsigned int i = 0; i < THREADS; i++)
		check(pthread_join(users.thread[i], NULL) == 0, "pthread_join");
	return users.writes;
}
