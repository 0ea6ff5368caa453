// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "mm/windows.h"

/* End of what user space can map with four-level paging. */
#define USER_END 0x7ffffffff000ull

/* Mappings closer together than this belong to one neighbourhood. */
#define NEIGHBOURHOOD_GAP (64 * WINDOW_ALIGN)

/* What the main stack may still grow by. */
#define STACK_ROOM (1 * WINDOW_ALIGN)

/* A heap this near behind its program shares the program's window. */
#define HEAP_NEAR (32 * WINDOW_ALIGN)

/* Walks the map upwards and keeps the neighbourhood that the probe at @probe is in. */
struct walk {
	uint64_t probe;
	uint64_t lo, hi;	/* the neighbourhood so far */
};

static void note_mapping(struct landmarks *marks, struct walk *walk, uint64_t lo, uint64_t hi,
			 const char *name)
{
	if (lo >= USER_END)
		return;		/* the vsyscall page */
	if (strcmp(name, "[stack]") == 0)
		marks->stack_lo = lo;
	if (marks->stack_lo) {
		marks->stack_hi = hi;
		return;
	}
	if (lo - walk->hi > NEIGHBOURHOOD_GAP)
		walk->lo = lo;
	walk->hi = hi;
	if (walk->lo <= walk->probe && walk->probe < hi) {
		marks->mmap_lo = walk->lo;
		marks->mmap_hi = hi;
	}
}

static int read_maps(struct landmarks *marks, uint64_t probe)
{
	struct walk walk = { .probe = probe };
	char line[512], name[256];
	uint64_t lo, hi;
	FILE *maps;

	maps = fopen("/proc/self/maps", "re");
	if (!maps)
		return -errno;
	while (fgets(line, sizeof(line), maps)) {
		name[0] = '\0';
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &lo, &hi, name) >= 2)
			note_mapping(marks, &walk, lo, hi, name);
	}
	fclose(maps);
	if (!marks->stack_lo)
		marks->stack_lo = marks->stack_hi = (uint64_t)__builtin_frame_address(0);
	return 0;
}

static void *probe_map(void)
{
	return mmap(NULL, WINDOW_ALIGN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0);
}

/*
 * Only the kernel knows where the mmap area is and which way it grows (a static program may have
 * nothing there, an unlimited stack moves it). Two mappings too large for any hole tell.
 */
int landmarks_read(struct landmarks *marks)
{
	void *first = probe_map(), *second = probe_map();
	int ret = -ENOMEM;

	if (first != MAP_FAILED && second != MAP_FAILED) {
		*marks = (struct landmarks){
			/* Not a function of ours, which may be in a shared library. */
			.program = getauxval(AT_PHDR),
			.heap = (uint64_t)sbrk(0),
			.mmap_grows_up = second > first,
		};
		ret = read_maps(marks, (uint64_t)first);
	}
	if (first != MAP_FAILED)
		munmap(first, WINDOW_ALIGN);
	if (second != MAP_FAILED)
		munmap(second, WINDOW_ALIGN);
	return ret;
}

static uint64_t align_down(uint64_t x)
{
	return x & ~(WINDOW_ALIGN - 1);
}

static uint64_t align_up(uint64_t x)
{
	return align_down(x + WINDOW_ALIGN - 1);
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void add(struct windows *windows, uint64_t lo, uint64_t hi)
{
	lo = align_down(lo);
	hi = min(align_up(hi), USER_END);
	windows->window[windows->count++] = (struct window){ .va = lo, .size = hi - lo };
}

static int by_va(const void *a, const void *b)
{
	const struct window *x = a, *y = b;

	return (x->va > y->va) - (x->va < y->va);
}

/* Sorts, and joins windows that overlap or touch. */
static void merge(struct windows *windows)
{
	size_t kept = 0;

	qsort(windows->window, windows->count, sizeof(windows->window[0]), by_va);
	for (size_t i = 1; i < windows->count; i++) {
		struct window *last = &windows->window[kept];
		const struct window *next = &windows->window[i];

		if (next->va > last->va + last->size)
			windows->window[++kept] = *next;
		else if (next->va + next->size > last->va + last->size)
			last->size = next->va + next->size - last->va;
	}
	windows->count = kept + 1;
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
 * Half of guest-physical space goes to the mmap area, an eighth to the heap, a sixteenth to low
 * addresses (programs that are not position independent, MAP_32BIT), and a few GiB to the rest.
 */
int windows_layout(struct windows *windows, const struct landmarks *marks, unsigned int gpa_bits)
{
	uint64_t space = 1ull << gpa_bits;
	uint64_t mmap_hi = align_up(marks->mmap_hi);
	uint64_t heap = marks->heap;

	if (marks->program < heap && heap - marks->program < HEAP_NEAR)
		heap = marks->program;
	*windows = (struct windows){ 0 };
	add(windows, 0, space / 16);
	add(windows, marks->program, marks->program + 1);
	add(windows, heap, heap + space / 8);
	if (marks->mmap_grows_up)
		add(windows, marks->mmap_lo, marks->mmap_lo + space / 2);
	else
		add(windows, mmap_hi - min(mmap_hi, space / 2), mmap_hi);
	add(windows, marks->stack_lo - STACK_ROOM, marks->stack_hi);
	merge(windows);
	windows->laid_out = windows->count;
	return assign_gpas(windows, gpa_bits) ? 0 : -E2BIG;
}

/* What a neighbourhood that is met later gets: there may be twenty of them. */
#define LATER_SHARE 64

static uint64_t end_of_gpas(const struct windows *windows)
{
	const struct window *last = &windows->window[windows->count - 1];

	return last->gpa + align_up(last->size);
}

int windows_choose(const struct windows *windows, uint64_t va, uint64_t lo, uint64_t hi,
		   unsigned int gpa_bits, struct window *window)
{
	uint64_t share = max((1ull << gpa_bits) / LATER_SHARE, WINDOW_ALIGN);
	uint64_t left = (1ull << gpa_bits) - min(end_of_gpas(windows), 1ull << gpa_bits);

	if (!left || va >= USER_END || windows->count == WINDOWS_MAX)
		return -ENOSPC;
	if (share > left)
		share = WINDOW_ALIGN;
	lo = max(align_up(lo), va & ~(share - 1));
	hi = min(min(hi == USER_END ? hi : align_down(hi), (va & ~(share - 1)) + share), USER_END);
	for (size_t i = 0; i < windows->count; i++) {
		const struct window *w = &windows->window[i];

		if (w->va > va)
			hi = min(hi, w->va);
		else
			lo = max(lo, align_up(w->va + w->size));
	}
	if (va < lo || va >= hi)
		return -ENOSPC;
	*window = (struct window){ .va = lo, .gpa = end_of_gpas(windows), .size = hi - lo };
	return 0;
}

void windows_add(struct windows *windows, const struct window *window)
{
	windows->window[windows->count] = *window;
	__atomic_store_n(&windows->count, windows->count + 1, __ATOMIC_RELEASE);
}

static size_t count(const struct windows *windows)
{
	return __atomic_load_n(&windows->count, __ATOMIC_ACQUIRE);
}

const struct window *windows_find(const struct windows *windows, uint64_t va)
{
	for (size_t i = 0; i < count(windows); i++) {
		const struct window *w = &windows->window[i];

		if (va - w->va < w->size)
			return w;
	}
	return NULL;
}

uint64_t windows_gpa(const struct windows *windows, uint64_t va)
{
	const struct window *w = windows_find(windows, va);

	return w ? w->gpa + (va - w->va) : 0;
}

bool windows_va(const struct windows *windows, uint64_t gpa, uint64_t *va)
{
	for (size_t i = 0; i < count(windows); i++) {
		const struct window *w = &windows->window[i];

		if (gpa - w->gpa < w->size) {
			*va = w->va + (gpa - w->gpa);
			return true;
		}
	}
	return false;
}
