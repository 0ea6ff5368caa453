// SPDX-License-Identifier: BSD-2-Clause
/* The vCPUs that write. Their lock is no member: on a snapshot there is nobody to wait for. */
#include <pthread.h>
#include <sched.h>

#include "stores.h"

#define WRITERS 2

static struct writer {
	pthread_t thread;
	struct random random;
} writers[WRITERS];

static unsigned int writer_count;
static bool end;
static bool locked;
static uint64_t begun, done;

uint64_t draw(struct random *random, uint64_t below)
{
	random->state = random->state * 6364136223846793005ull + 1442695040888963407ull;
	return (random->state >> 33) % below;
}

void operate(uint64_t sequence, uint64_t key, bool put)
{
	if (put) {
		hash_put(hash, key, sequence);
		tree_put(tree, key, sequence);
	} else {
		hash_delete(hash, key);
		tree_delete(tree, key, sequence);
	}
}

uint64_t writers_lock(void)
{
	while (__atomic_exchange_n(&locked, true, __ATOMIC_ACQUIRE))
		sched_yield();
	return done;
}

void writers_unlock(void)
{
	store(locked, false);
}

uint64_t writers_done(void)
{
	return load(done);
}

uint64_t writers_begun(void)
{
	return load(begun);
}

static void *write_on(void *arg)
{
	struct writer *writer = arg;

	check_ok(dbos_enter());
	while (!load(end)) {
		uint64_t key = draw(&writer->random, KEYS), sequence;
		bool put = draw(&writer->random, 4);

		while (!oracle_has_room(load(begun)) && !load(end))
			sched_yield();
		sequence = writers_lock() + 1;
		oracle_log(sequence, key, put);
		store(begun, sequence);
		operate(sequence, key, put);
		store(done, sequence);
		writers_unlock();
	}
	check_ok(dbos_leave());
	return NULL;
}

void writers_begin(unsigned int count, uint64_t seed)
{
	store(end, false);
	writer_count = count;
	for (unsigned int i = 0; i < count; i++) {
		writers[i].random.state = seed + i;
		check(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]) == 0,
		      "pthread_create");
	}
}

void writers_end(void)
{
	store(end, true);
	for (unsigned int i = 0; i < writer_count; i++)
		check(pthread_join(writers[i].thread, NULL) == 0, "pthread_join");
}
