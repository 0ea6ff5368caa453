/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_TABBY_FILES_H
#define DBOS_TABBY_FILES_H

#include "tabby/tabby.h"

/* The device that the configuration's files are. */
int tabby_files_open(struct tabby *tabby, const struct dbos_pool_config *config);
void tabby_files_close(struct tabby *tabby);

/* Of one transfer: its file and where. */
int tabby_file_of(const struct tabby *tabby, uint64_t page, uint64_t *offset);

/*
 * ring.c: the same transfers by the slot's io_uring. False: there is none, or another thread has
 * it; then nothing was done.
 */
bool tabby_ring_transfer(struct tabby *tabby, struct dbos_pool_transfer *transfers, size_t count);
void tabby_rings_close(struct tabby *tabby);

#endif /* DBOS_TABBY_FILES_H */
