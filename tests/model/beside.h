/* SPDX-License-Identifier: BSD-2-Clause */
/* What is no member's, but has a page directory in common with members: all branches have it. */
#ifndef BESIDE_H
#define BESIDE_H

#include "snappy/snappy.h"

/* A new schedule: nothing is there. */
void beside_begin(void);

/* One more 2 MiB get a table, in the process's; not often, and not without a frame. */
void beside_map(void);

/* A snapshot of the process has what was mapped before its cut. */
void beside_check(const struct branch *branch);

#endif /* BESIDE_H */
