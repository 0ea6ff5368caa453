// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"
#include "heap.h"

static unsigned int class_of(size_t size)
{
	unsigned int class = 4;

	while (1ul << class < size)
		class++;
	check(class < HEAP_CLASSES, "a block of %zu bytes", size);
	return class;
}

struct heap *heap_init(void *memory, size_t size)
{
	struct heap *heap = memory;

	heap->end = (char *)memory + size;
	heap->next = (char *)memory + sizeof(*heap);
	return heap;
}

void *heap_alloc(struct heap *heap, size_t size)
{
	unsigned int class = class_of(size);
	void *volatile *block = heap->free[class];

	if (block) {
		*(void *volatile *)&heap->free[class] = *block;
		return (void *)block;
	}
	block = (void *)heap->next;
	check(heap->next + (1ul << class) <= heap->end, "the heap is full");
	*(char *volatile *)&heap->next += 1ul << class;
	return (void *)block;
}

void heap_free(struct heap *heap, void *block, size_t size)
{
	unsigned int class = class_of(size);

	*(void *volatile *)block = heap->free[class];
	*(void *volatile *)&heap->free[class] = block;
}
