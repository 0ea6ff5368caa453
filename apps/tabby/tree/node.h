/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node of the tree, in the content of one page: slots from the front, entries from the back.
 *
 * A slot has the first four bytes of its key as a number, so that a search seldom has to look at an
 * entry. Keys are in order, each once. A leaf's entry is a key and a value; an inner node's is a
 * separator and a child, which has the keys up to the separator, that one included; the keys behind
 * the last separator are in @upper.
 *
 * What only reads a node may be given one that changes meanwhile: the results are then wrong, but
 * nothing outside of the node is read, and no loop is endless. What changes a node needs it locked.
 */
#ifndef TABBY_TREE_NODE_H
#define TABBY_TREE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <dbos/pool.h>

#define NODE_SIZE      DBOS_POOL_CONTENT
#define NODE_KEY_MAX   64
#define NODE_VALUE_MAX 1000

/* Keys are ordered as memcmp() has it; of two that begin alike the shorter comes first. */
struct key {
	const void *bytes;
	size_t length;
};

struct node {
	uint16_t count;
	uint16_t shape;		/* of struct shape: loaded and stored at once */
	uint16_t heap;		/* offset of the first entry: from there to the end are entries */
	uint16_t used;		/* bytes of those that have a slot; the others are holes */
	uint64_t upper;
	uint64_t slot[];	/* of struct slot: each is loaded and stored at once */
};

/* Of what was inserted last: in which slot, and how often in a row it was the next one's. */
struct shape {
	uint16_t level : 4, run : 3, last : 9;
};

struct slot {
	uint32_t head;
	uint32_t offset : 12, key : 7, value : 10;
};

#define NODE_SLOTS ((NODE_SIZE - sizeof(struct node)) / sizeof(struct slot))

/* What an entry takes, its slot included; and the largest one of an inner node. */
#define NODE_ENTRY(key, value) (sizeof(struct slot) + (key) + (value))
#define NODE_SEPARATOR	       NODE_ENTRY(NODE_KEY_MAX, sizeof(uint64_t))

static inline unsigned int node_count(const struct node *node)
{
	unsigned int count = __atomic_load_n(&node->count, __ATOMIC_RELAXED);

	return count < NODE_SLOTS ? count : NODE_SLOTS;
}

static inline unsigned int node_level(const struct node *node)
{
	uint16_t word = __atomic_load_n(&node->shape, __ATOMIC_RELAXED);
	struct shape shape;

	memcpy(&shape, &word, sizeof(shape));
	return shape.level;	/* 0: a leaf */
}

static inline struct slot node_slot(const struct node *node, unsigned int i)
{
	uint64_t word = __atomic_load_n(&node->slot[i], __ATOMIC_RELAXED);
	struct slot slot;

	memcpy(&slot, &word, sizeof(slot));
	return slot;
}

/* The slot's entry, or NULL if the slot is of no time at all. */
static inline const char *node_entry(const struct node *node, struct slot slot)
{
	if (0u + slot.offset + slot.key + slot.value > NODE_SIZE)
		return NULL;
	return (const char *)node + slot.offset;
}

void node_init(struct node *node, unsigned int level);

/* The first slot whose key is not less than @key; the count if there is none. */
unsigned int node_find(const struct node *node, struct key key, bool *equal);

/* Bytes that entries with their slots may still take, holes included. */
size_t node_room(const struct node *node);

/* Before slot @i; there is room. Returns where the value is. */
void *node_insert(struct node *node, unsigned int i, struct key key, const void *value,
		  size_t size);
void node_remove(struct node *node, unsigned int i);

/* Child @i, of 0 to the count. */
uint64_t node_child(const struct node *node, unsigned int i);
void node_set_child(struct node *node, unsigned int i, uint64_t child);
/* Its keys are the next one's from now on, or, if it is the last, those of the one before. */
void node_remove_child(struct node *node, unsigned int i);

/* A copy of a key. One byte more than a key has: the least key behind another ends with a zero. */
struct key_copy {
	size_t length;
	char bytes[NODE_KEY_MAX + 1];
};

static inline struct key key_of(const struct key_copy *copy)
{
	return (struct key){ copy->bytes, copy->length };
}

/* The key of slot @i, from a node that may change. */
void node_copy_key(const struct node *node, unsigned int i, struct key_copy *copy);

/*
 * Moves the upper ones to @right, an empty page, and tells the separator of the two. In the middle,
 * or, where entries have lately come in order, behind the last of these, so that what keys in order
 * leave behind is full. Of the two, which have been one of at least two entries, none is empty.
 */
void node_split(struct node *left, struct node *right, struct key_copy *separator);

#endif /* TABBY_TREE_NODE_H */
