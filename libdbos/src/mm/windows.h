/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where host-virtual addresses live in guest-physical space.
 *
 * A process spreads over 47 bits of addresses; guest-physical ones have 39 to 48 bits. But it
 * uses only a few neighbourhoods (program and heap, the mmap area, the stacks), so each of these
 * gets a window: a 1 GiB-aligned range of addresses, shown linearly at a 1 GiB-aligned
 * guest-physical address and registered as one memory slot. What is mapped inside a window, now
 * or later, is none of our business: the hypervisor mirrors it. What is mapped elsewhere gets a
 * window when it is first met (cover.h), which then stays.
 */
#ifndef DBOS_WINDOWS_H
#define DBOS_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_ALIGN (1ull << 30)
#define WINDOWS_MAX  32

struct window {
	uint64_t va, gpa, size;
};

/* Others look while one is added: the count is published behind it. */
struct windows {
	size_t count, laid_out;		/* those of windows_layout() come first */
	struct window window[WINDOWS_MAX];	/* disjoint, by rising gpa */
};

/* Where the calling process keeps what. */
struct landmarks {
	uint64_t program;		/* an address of its first page */
	uint64_t heap;			/* the program break; it grows up */
	uint64_t mmap_lo, mmap_hi;	/* the mmap area as far as it is used */
	bool mmap_grows_up;
	uint64_t stack_lo, stack_hi;	/* the main stack, and the vDSO near it */
};

/* -errno if /proc can't be read or there is no memory. */
int landmarks_read(struct landmarks *marks);

/* -E2BIG: they do not fit below 1 << gpa_bits. Pure. */
int windows_layout(struct windows *windows, const struct landmarks *marks, unsigned int gpa_bits);

/*
 * One more window, around @va, which is in none, and within [lo, hi): not beside what is there, and
 * as large as is good for its neighbourhood, or as is left. -ENOSPC. Pure.
 */
int windows_choose(const struct windows *windows, uint64_t va, uint64_t lo, uint64_t hi,
		   unsigned int gpa_bits, struct window *window);

/* Publishes it. One caller at a time. */
void windows_add(struct windows *windows, const struct window *window);

/* The window that @va is in, or NULL. */
const struct window *windows_find(const struct windows *windows, uint64_t va);

/* 0 where no window is: guest-physical 0 is never used. */
uint64_t windows_gpa(const struct windows *windows, uint64_t va);

/* False where no window is; virtual address 0 may well be in one. */
bool windows_va(const struct windows *windows, uint64_t gpa, uint64_t *va);

#endif /* DBOS_WINDOWS_H */
