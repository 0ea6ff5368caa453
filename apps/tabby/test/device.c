// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test/device.h"
#include "test/oracle.h"

/* Odd, so that the state passes through all numbers; 0 is never drawn from in a run this short. */
#define STEP 0x9e3779b97f4a7c15ull

static int transfer(struct disk *disk, struct dbos_pool_transfer *transfer)
{
	uint64_t at = transfer->page * DBOS_PAGE_SIZE;
	uint64_t random = __atomic_add_fetch(&disk->random, STEP, __ATOMIC_RELAXED);

	if (at >= disk->size)
		return -ENOSPC;
	if (disk->one_in && (next_random(&random) >> 33) % disk->one_in == 0) {
		__atomic_add_fetch(&disk->failed, 1, __ATOMIC_RELAXED);
		return -EIO;
	}
	if (transfer->write)
		memcpy(disk->bytes + at, transfer->memory, DBOS_PAGE_SIZE);
	else
		memcpy(transfer->memory, disk->bytes + at, DBOS_PAGE_SIZE);
	return DBOS_PAGE_SIZE;
}

static void transfers(void *arg, struct dbos_pool_transfer *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		list[i].result = transfer(arg, &list[i]);
}

static int sync_disk(void *arg)
{
	(void)arg;
	return 0;
}

void disk_make(struct disk *disk, uint64_t pages)
{
	*disk = (struct disk){
		.device = { .transfer = transfers, .sync = sync_disk, .arg = disk },
		.bytes = calloc(pages, DBOS_PAGE_SIZE),
		.size = pages * DBOS_PAGE_SIZE,
		.random = 1,
	};
	if (!disk->bytes)
		fail("no memory for a disk");
}

void disk_free(struct disk *disk)
{
	free(disk->bytes);
}
