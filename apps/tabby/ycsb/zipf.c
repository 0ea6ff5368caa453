// SPDX-License-Identifier: BSD-2-Clause
#include <math.h>

#include "ycsb/zipf.h"

/* Ranks whose probabilities are added one by one; behind them the sum is as good as an integral. */
#define EXACT 100000

/* The integral of x^-theta. */
static double integral(double x, double theta)
{
	return pow(x, 1 - theta) / (1 - theta);
}

static double inverse(double y, double theta)
{
	return pow(y * (1 - theta), 1 / (1 - theta));
}

void zipf_make(struct zipf *zipf, uint64_t count, double theta)
{
	uint64_t exact = count < EXACT ? count : EXACT;
	/* A rank has its probability between the halves around it. */
	double base = integral(exact + 0.5, theta);
	double head = 0, width, sum = 0, last = 0;
	unsigned int cell = 0;

	for (uint64_t rank = 0; rank < exact; rank++)
		head += pow(rank + 1, -theta);
	width = (head + integral(count + 0.5, theta) - base) / ZIPF_CELLS;
	zipf->count = count;
	for (uint64_t rank = 0; rank < exact; rank++) {
		last = sum;
		sum += pow(rank + 1, -theta);
		for (; cell < ZIPF_CELLS && width * cell < sum; cell++)
			zipf->bound[cell] = rank + (width * cell - last) / (sum - last);
	}
	for (; cell < ZIPF_CELLS; cell++)
		zipf->bound[cell] = inverse(base + width * cell - head, theta) - 0.5;
	zipf->bound[ZIPF_CELLS] = count;
}
