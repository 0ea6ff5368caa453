/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of one region, from blocks of a power of two. All of what it knows is in the region, so
 * that a snapshot has it too, and goes on from there. Each step is one store: wherever it is cut,
 * what is left is a heap, at worst with a block that nobody has.
 */
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>

#define HEAP_CLASSES 13		/* up to 4 KiB */

struct heap {
	char *next, *end;
	void *free[HEAP_CLASSES];	/* each block begins with the address of the next */
	void *root;			/* the store's */
};

/* At the beginning of @size bytes, which are zero. */
struct heap *heap_init(void *memory, size_t size);

void *heap_alloc(struct heap *heap, size_t size);
void heap_free(struct heap *heap, void *block, size_t size);

#endif /* HEAP_H */
