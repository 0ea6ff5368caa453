// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "mm/windows.h"

/* End of what user space can map with four-level paging. */
#define USER_END 0x7ffffffff000ull

/* The stack top is within 16 GiB of USER_END (ASLR), the vDSO between the two. */
#define STACK_WINDOW_BELOW (2 * WINDOW_ALIGN)

int landmarks_read(struct landmarks *landmarks)
{
	uint64_t stack = (uint64_t)__builtin_frame_address(0);
	uint64_t lo, hi, last_hi = 0;
	char line[512], name[256];
	FILE *maps;

	*landmarks = (struct landmarks){ .program = (uint64_t)&landmarks_read };
	maps = fopen("/proc/self/maps", "re");
	if (!maps)
		return -errno;
	while (fgets(line, sizeof(line), maps)) {
		name[0] = '\0';
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &lo, &hi, name) < 2)
			continue;
		if (strcmp(name, "[stack]") == 0) {
			landmarks->mmap_top = last_hi;
			landmarks->stack = lo;
			break;
		}
		last_hi = hi;
	}
	fclose(maps);
	if (landmarks->stack)
		return 0;
	/* No main stack in sight (a thread outlived it): everything ends where we stand. */
	landmarks->mmap_top = landmarks->stack = stack;
	return 0;
}

static uint64_t align_down(uint64_t x)
{
	return x & ~(WINDOW_ALIGN - 1);
}

static uint64_t align_up(uint64_t x)
{
	return align_down(x + WINDOW_ALIGN - 1);
}

/* Adds [lo, hi), which starts at or above every earlier window, merging it with the last one. */
static void add(struct windows *windows, uint64_t lo, uint64_t hi)
{
	struct window *last = &windows->window[windows->count - 1];

	if (windows->count && lo <= last->va + last->size) {
		if (hi > last->va + last->size)
			last->size = hi - last->va;
		return;
	}
	windows->window[windows->count++] = (struct window){ .va = lo, .size = hi - lo };
}

static bool assign_gpas(struct windows *windows, unsigned int gpa_bits)
{
	/* From 1 GiB on: a zeroed entry can't be mistaken for an address. */
	uint64_t gpa = WINDOW_ALIGN;

	for (size_t i = 0; i < windows->count; i++) {
		windows->window[i].gpa = gpa;
		gpa += align_up(windows->window[i].size);
	}
	return gpa <= 1ull << gpa_bits;
}

/*
 * Half of guest-physical space goes to the mmap area, an eighth to the program and its heap (which
 * grows up from it), a sixteenth to low addresses (programs that are not position independent,
 * MAP_32BIT), and what the stacks can need is fixed.
 */
int windows_layout(struct windows *windows, const struct landmarks *landmarks,
		   unsigned int gpa_bits)
{
	uint64_t space = 1ull << gpa_bits;
	uint64_t mmap_end = align_up(landmarks->mmap_top);
	uint64_t stack_lo = align_down(landmarks->stack) - STACK_WINDOW_BELOW;
	uint64_t mmap_lo = mmap_end > space / 2 ? mmap_end - space / 2 : 0;

	*windows = (struct windows){ 0 };
	add(windows, 0, space / 16);
	if (landmarks->program >= space / 16 && landmarks->program < mmap_lo)
		add(windows, align_down(landmarks->program),
		    align_down(landmarks->program) + space / 8);
	add(windows, mmap_lo, mmap_end < USER_END ? mmap_end : USER_END);
	add(windows, stack_lo, USER_END);
	return assign_gpas(windows, gpa_bits) ? 0 : -E2BIG;
}

uint64_t windows_gpa(const struct windows *windows, uint64_t va)
{
	for (size_t i = 0; i < windows->count; i++) {
		const struct window *w = &windows->window[i];

		if (va - w->va < w->size)
			return w->gpa + (va - w->va);
	}
	return 0;
}

uint64_t windows_va(const struct windows *windows, uint64_t gpa)
{
	for (size_t i = 0; i < windows->count; i++) {
		const struct window *w = &windows->window[i];

		if (gpa - w->gpa < w->size)
			return w->va + (gpa - w->gpa);
	}
	return 0;
}
