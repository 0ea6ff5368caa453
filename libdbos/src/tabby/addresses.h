/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_TABBY_ADDRESSES_H
#define DBOS_TABBY_ADDRESSES_H

#include "tabby/tabby.h"

/*
 * MMU: addresses for all pages, each of which leads to zeroes, and where the frames are in guest-
 * physical memory. -EINVAL: too many pages; or as dbos_region_create().
 */
int tabby_addresses_open(struct tabby *tabby, struct dbos *dbos);
void tabby_addresses_close(struct tabby *tabby);

#endif /* DBOS_TABBY_ADDRESSES_H */
