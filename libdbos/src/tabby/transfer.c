// SPDX-License-Identifier: BSD-2-Clause
/* What goes to the device, and what comes from it. */
#include "tabby/tabby.h"

/* 0, or what is wrong with what has come. */
static int check(const struct tabby *tabby, const struct dbos_pool_transfer *transfer)
{
	const struct tabby_header *header = transfer->memory;

	if (transfer->result < 0)
		return transfer->result;
	if (transfer->result != DBOS_PAGE_SIZE)
		return -EIO;
	if (transfer->write)
		return 0;
	if (header->name != transfer->page + 1)
		return -EILSEQ;
	return tabby->checksums && header->checksum != tabby_checksum(header) ? -EILSEQ : 0;
}

static void run(struct tabby *tabby, struct dbos_pool_transfer *transfers, size_t count)
{
	uint64_t errors = 0;

	tabby->device.transfer(tabby->device.arg, transfers, count);
	for (size_t i = 0; i < count; i++) {
		transfers[i].result = check(tabby, &transfers[i]);
		errors += transfers[i].result != 0;
	}
	if (errors)
		tabby_count(&tabby_slot(tabby)->errors, errors);
}

void tabby_read(struct tabby *tabby, struct dbos_pool_transfer *transfers, size_t count)
{
	tabby_count(&tabby_slot(tabby)->reads, count);
	run(tabby, transfers, count);
}

/* Nobody else writes these two fields: the pages are pinned, and were dirty for the caller only. */
void tabby_write(struct tabby *tabby, struct dbos_pool_transfer *transfers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct tabby_header *header = transfers[i].memory;

		header->name = transfers[i].page + 1;
		if (tabby->checksums)
			header->checksum = tabby_checksum(header);
	}
	tabby_count(&tabby_slot(tabby)->writes, count);
	run(tabby, transfers, count);
}
