/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TABBY_DRIVER_RANDOM_H
#define TABBY_DRIVER_RANDOM_H

#include <stdint.h>

/* splitmix64: a number's bits, mixed; each number has another one. */
static inline uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* xorshift64*; the state is never 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* Of 0 to @count - 1. */
static inline uint64_t random_below(uint64_t *state, uint64_t count)
{
	return (unsigned __int128)random_next(state) * count >> 64;
}

static inline uint64_t random_seed(uint64_t seed, uint64_t stream)
{
	return mix(mix(seed) + stream) | 1;
}

#endif /* TABBY_DRIVER_RANDOM_H */
