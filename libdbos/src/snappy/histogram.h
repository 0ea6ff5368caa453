/* SPDX-License-Identifier: BSD-2-Clause */
/* Times by their order of magnitude: bucket i counts those in [2^i, 2^(i+1)), and 0 in bucket 0. */
#ifndef DBOS_HISTOGRAM_H
#define DBOS_HISTOGRAM_H

#include "hv/machine.h"

#define HISTOGRAM_BUCKETS 64

/* By anybody, and read by anybody. */
static inline void histogram_add(uint64_t *buckets, uint64_t value)
{
	machine_add(&buckets[63 - __builtin_clzll(value | 1)], 1);
}

#endif /* DBOS_HISTOGRAM_H */
