// SPDX-License-Identifier: BSD-2-Clause
#include "tree/node.h"

/* So many in a row are no accident. */
#define RUN 4
/* The one before slot 0. */
#define NO_SLOT 511

static uint32_t key_head(struct key key)
{
	uint32_t head = 0;

	memcpy(&head, key.bytes, key.length < sizeof(head) ? key.length : sizeof(head));
	return __builtin_bswap32(head);
}

static struct shape shape_of(const struct node *node)
{
	struct shape shape;

	memcpy(&shape, &node->shape, sizeof(shape));
	return shape;
}

static void set_shape(struct node *node, struct shape shape)
{
	uint16_t word;

	memcpy(&word, &shape, sizeof(word));
	__atomic_store_n(&node->shape, word, __ATOMIC_RELAXED);
}

void node_init(struct node *node, unsigned int level)
{
	*node = (struct node){ .heap = NODE_SIZE };
	set_shape(node, (struct shape){ .level = level });
}

/* The slot's key against @key, whose head is the same. */
static int compare(const struct node *node, struct slot slot, struct key key)
{
	const char *entry = node_entry(node, slot);
	size_t common = slot.key < key.length ? slot.key : key.length;
	int order = entry ? memcmp(entry, key.bytes, common) : 0;

	if (order)
		return order;
	return slot.key < key.length ? -1 : slot.key > key.length;
}

unsigned int node_find(const struct node *node, struct key key, bool *equal)
{
	uint32_t head = key_head(key);
	unsigned int low = 0, high = node_count(node);

	*equal = false;
	while (low < high) {
		unsigned int middle = (low + high) / 2;
		struct slot slot = node_slot(node, middle);
		int order = slot.head < head ? -1 : slot.head > head;

		if (!order)
			order = compare(node, slot, key);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
		*equal |= !order;
	}
	return low;
}

size_t node_room(const struct node *node)
{
	size_t taken = sizeof(struct node) + node_count(node) * sizeof(struct slot) +
		       __atomic_load_n(&node->used, __ATOMIC_RELAXED);

	return taken < NODE_SIZE ? NODE_SIZE - taken : 0;
}

static void set_slot(struct node *node, unsigned int i, struct slot slot)
{
	uint64_t word;

	memcpy(&word, &slot, sizeof(word));
	__atomic_store_n(&node->slot[i], word, __ATOMIC_RELAXED);
}

static size_t slots_end(const struct node *node)
{
	return sizeof(struct node) + node->count * sizeof(struct slot);
}

/* Puts the entries together at the end, without holes. */
static void compact(struct node *node)
{
	char old[NODE_SIZE];

	memcpy(old, node, NODE_SIZE);
	node->heap = NODE_SIZE;
	for (unsigned int i = 0; i < node->count; i++) {
		struct slot slot = node_slot(node, i);
		const char *entry = old + slot.offset;

		node->heap -= slot.key + slot.value;
		slot.offset = node->heap;
		memcpy((char *)node + slot.offset, entry, slot.key + slot.value);
		set_slot(node, i, slot);
	}
}

static void note_insert(struct node *node, unsigned int i)
{
	struct shape shape = shape_of(node);

	if (i != (shape.last + 1u) % (NO_SLOT + 1))
		shape.run = 0;
	else if (shape.run < RUN)
		shape.run++;
	shape.last = i;
	set_shape(node, shape);
}

void *node_insert(struct node *node, unsigned int i, struct key key, const void *value, size_t size)
{
	struct slot slot = { .head = key_head(key), .key = key.length, .value = size };
	char *entry;

	if (node->heap < slots_end(node) + NODE_ENTRY(key.length, size))
		compact(node);
	node->heap -= key.length + size;
	node->used += key.length + size;
	slot.offset = node->heap;
	entry = (char *)node + slot.offset;
	memcpy(entry, key.bytes, key.length);
	memcpy(entry + key.length, value, size);
	memmove(&node->slot[i + 1], &node->slot[i], (node->count - i) * sizeof(slot));
	set_slot(node, i, slot);
	note_insert(node, i);
	node->count++;
	return entry + key.length;
}

void node_remove(struct node *node, unsigned int i)
{
	struct slot slot = node_slot(node, i);

	node->used -= slot.key + slot.value;
	node->count--;
	memmove(&node->slot[i], &node->slot[i + 1], (node->count - i) * sizeof(slot));
	if (!node->count)
		node->heap = NODE_SIZE;
}

uint64_t node_child(const struct node *node, unsigned int i)
{
	struct slot slot;
	const char *entry;
	uint64_t child;

	if (i >= node_count(node))
		return __atomic_load_n(&node->upper, __ATOMIC_RELAXED);
	slot = node_slot(node, i);
	slot.value = sizeof(child);
	entry = node_entry(node, slot);
	if (!entry)
		return UINT64_MAX;
	memcpy(&child, entry + slot.key, sizeof(child));
	return child;
}

void node_set_child(struct node *node, unsigned int i, uint64_t child)
{
	struct slot slot;

	if (i == node->count) {
		node->upper = child;
		return;
	}
	slot = node_slot(node, i);
	memcpy((char *)node + slot.offset + slot.key, &child, sizeof(child));
}

void node_remove_child(struct node *node, unsigned int i)
{
	if (i == node->count)
		node->upper = node_child(node, --i);
	node_remove(node, i);
}

void node_copy_key(const struct node *node, unsigned int i, struct key_copy *copy)
{
	struct slot slot = node_slot(node, i);
	const char *entry = node_entry(node, slot);

	copy->length = entry && slot.key <= NODE_KEY_MAX ? slot.key : 0;
	if (copy->length)
		memcpy(copy->bytes, entry, copy->length);
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* How many slots stay in the left one. */
static unsigned int middle(const struct node *node)
{
	struct shape shape = shape_of(node);
	size_t bytes = 0;
	unsigned int i = 0;

	if (shape.run == RUN)
		return least(shape.level ? shape.last : shape.last + 1, node->count - 1);
	while (i < node->count - 1u && 2 * bytes < node->used) {
		struct slot slot = node_slot(node, i++);

		bytes += slot.key + slot.value;
	}
	return i;
}

static void append(struct node *to, const struct node *from, unsigned int i)
{
	struct slot slot = node_slot(from, i);
	const char *entry = node_entry(from, slot);

	node_insert(to, to->count, (struct key){ entry, slot.key }, entry + slot.key, slot.value);
}

/* An inner node's separator goes up; what it led to is the last child on the left. */
void node_split(struct node *left, struct node *right, struct key_copy *separator)
{
	unsigned int keep = middle(left);
	struct shape shape = shape_of(left);
	unsigned int from = shape.level ? keep + 1 : keep;

	node_copy_key(left, shape.level ? keep : keep - 1, separator);
	node_init(right, shape.level);
	for (unsigned int i = from; i < left->count; i++)
		append(right, left, i);
	right->upper = left->upper;
	if (shape.level)
		left->upper = node_child(left, keep);
	while (left->count > keep)
		node_remove(left, left->count - 1);
	/* A row goes on at the right. */
	set_shape(right, (struct shape){
		.level = shape.level, .run = shape.run, .last = (shape.last - from) & NO_SLOT,
	});
	set_shape(left, (struct shape){ .level = shape.level, .last = NO_SLOT });
}
