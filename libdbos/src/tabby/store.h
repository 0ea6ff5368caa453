/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_TABBY_STORE_H
#define DBOS_TABBY_STORE_H

#include "tabby/tabby.h"

/*
 * Begins an empty store, of which nothing is on disk yet; opens one; puts into page 0 what is so.
 */
int tabby_store_format(struct tabby *tabby);
int tabby_store_open(struct tabby *tabby);
int tabby_store_save(struct tabby *tabby);

#endif /* DBOS_TABBY_STORE_H */
