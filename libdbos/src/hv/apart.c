// SPDX-License-Identifier: BSD-2-Clause
/* Small things are in lists by size, and never go back; large ones have pages of their own. */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "hv/apart.h"

#define UNIT	64
#define SIZES	16	/* up to 1 KiB */
#define CHUNK	(64ul << 10)

struct item {
	struct item *next;
};

/* In memory of the same kind, since variables of the library may be a part of snapshots as well. */
struct apart {
	pthread_mutex_t lock;
	struct item *free[SIZES];
	char *chunk;
	size_t left;		/* of it */
};

static struct apart *apart;

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* The lock is held. The end of a chunk that is too short is lost. */
static void *cut_off(size_t size)
{
	if (apart->left < size) {
		apart->chunk = map(CHUNK);
		apart->left = apart->chunk ? CHUNK : 0;
		if (!apart->chunk)
			return NULL;
	}
	apart->left -= size;
	return apart->chunk + apart->left;
}

/* The first one is made by dbos_init(), which is one at a time. */
static bool begin(void)
{
	if (apart)
		return true;
	apart = map(sizeof(*apart));
	if (apart)
		pthread_mutex_init(&apart->lock, NULL);
	return apart;
}

void *apart_alloc(size_t size)
{
	size_t units = (size + UNIT - 1) / UNIT;
	struct item *item;

	if (!units || units > SIZES)
		return map(size);
	if (!begin())
		return NULL;
	pthread_mutex_lock(&apart->lock);
	item = apart->free[units - 1];
	if (item)
		apart->free[units - 1] = item->next;
	else
		item = cut_off(units * UNIT);
	pthread_mutex_unlock(&apart->lock);
	if (item)
		memset(item, 0, units * UNIT);
	return item;
}

void apart_free(void *memory, size_t size)
{
	size_t units = (size + UNIT - 1) / UNIT;
	struct item *item = memory;

	if (!memory)
		return;
	if (units > SIZES) {
		munmap(memory, size);
		return;
	}
	pthread_mutex_lock(&apart->lock);
	item->next = apart->free[units - 1];
	apart->free[units - 1] = item;
	pthread_mutex_unlock(&apart->lock);
}

void apart_begin_anew(void)
{
	apart = NULL;
}
