/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that are no members, in the same 2 MiB as pages that are: one memory for all views. Each
 * vCPU has a word of its own in each.
 */
#ifndef COMMON_H
#define COMMON_H

#include "views.h"

void common_reset(void);

/* Maps them one by one, where their 2 MiB are not mapped as a whole. */
void common_map(void);

void common_write(unsigned int slot, unsigned int view);
void common_read(unsigned int slot, unsigned int view);

/* They are in no snapshot. Under snappy_lock(). */
void common_from_afar(struct branch *branch);

/* The view leads to them, and may write: nobody has to copy anything for that. */
void common_check(unsigned int view, uint64_t root);

#endif /* COMMON_H */
