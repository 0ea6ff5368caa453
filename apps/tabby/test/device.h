/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk in memory, of which transfers fail when that is wanted. */
#ifndef TABBY_TEST_DEVICE_H
#define TABBY_TEST_DEVICE_H

#include <dbos/pool.h>

struct disk {
	struct dbos_pool_device device;
	char *bytes;
	uint64_t size;
	unsigned int one_in;	/* so many transfers; 0: none fails */
	uint64_t random;
	unsigned int failed;
};

/* device.arg is the disk: it stays where it is. */
void disk_make(struct disk *disk, uint64_t pages);
void disk_free(struct disk *disk);

#endif /* TABBY_TEST_DEVICE_H */
