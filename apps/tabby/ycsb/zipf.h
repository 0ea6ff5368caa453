/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranks of a Zipfian distribution: rank r, from 0, comes with a probability in proportion to
 * 1 / (r + 1)^theta. The distribution function's inverse is tabulated, and in between is a straight
 * line: the ranks before some thousands come exactly as they should, or nearly so, those behind
 * them as their neighbours. A draw costs no power and no logarithm: what is measured is the engine.
 */
#ifndef TABBY_YCSB_ZIPF_H
#define TABBY_YCSB_ZIPF_H

#include <stdint.h>

#define ZIPF_CELLS (1u << 16)

struct zipf {
	uint64_t count;
	double bound[ZIPF_CELLS + 1];	/* of ranks, as real numbers */
};

/* 0 < @theta < 1. */
void zipf_make(struct zipf *zipf, uint64_t count, double theta);

static inline uint64_t zipf_rank(const struct zipf *zipf, uint64_t random)
{
	uint64_t cell = random >> 48;
	double within = (random & 0xffffffffffffull) * 0x1p-48;
	double low = zipf->bound[cell], high = zipf->bound[cell + 1];
	uint64_t rank = low + (high - low) * within;

	return rank < zipf->count ? rank : zipf->count - 1;
}

#endif /* TABBY_YCSB_ZIPF_H */
