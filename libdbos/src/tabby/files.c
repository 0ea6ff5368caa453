// SPDX-License-Identifier: BSD-2-Clause
/* Files and block devices, page by page in turn. */
#include <unistd.h>

#include "tabby/files.h"
#include "tabby/memory.h"

int tabby_file_of(const struct tabby *tabby, uint64_t page, uint64_t *offset)
{
	*offset = page / tabby->file_count * DBOS_PAGE_SIZE;
	return tabby->files[page % tabby->file_count];
}

static int one(const struct tabby *tabby, const struct dbos_pool_transfer *transfer)
{
	uint64_t offset;
	int file = tabby_file_of(tabby, transfer->page, &offset);
	ssize_t done;

	do {
		done = transfer->write ?
		       pwrite(file, transfer->memory, DBOS_PAGE_SIZE, offset) :
		       pread(file, transfer->memory, DBOS_PAGE_SIZE, offset);
	} while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

/* A ring is worth its setting up, and an exit more for completions, from two on. */
static void transfer(void *arg, struct dbos_pool_transfer *transfers, size_t count)
{
	struct tabby *tabby = arg;

	if (count > 1 && tabby->rings && tabby_ring_transfer(tabby, transfers, count))
		return;
	for (size_t i = 0; i < count; i++)
		transfers[i].result = one(tabby, &transfers[i]);
}

static int sync_files(void *arg)
{
	const struct tabby *tabby = arg;
	int ret = 0;

	for (unsigned int i = 0; i < tabby->file_count; i++) {
		if (fdatasync(tabby->files[i]) < 0)
			ret = -errno;
	}
	return ret;
}

int tabby_files_open(struct tabby *tabby, const struct dbos_pool_config *config)
{
	tabby->files = tabby_map(config->file_count * sizeof(int));
	if (!tabby->files)
		return -ENOMEM;
	for (unsigned int i = 0; i < config->file_count; i++)
		tabby->files[i] = config->files[i];
	tabby->file_count = config->file_count;
	tabby->rings = !(config->flags & DBOS_POOL_NO_RING);
	tabby->device = (struct dbos_pool_device){
		.transfer = transfer, .sync = sync_files, .arg = tabby,
	};
	return 0;
}

void tabby_files_close(struct tabby *tabby)
{
	tabby_rings_close(tabby);
	tabby_unmap(tabby->files, tabby->file_count * sizeof(int));
}
