// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "tree/step.h"

static const struct node *leaf_of(const struct cursor *cursor)
{
	return (const struct node *)cursor->leaf;
}

/* What the way to child @index of @node says of its keys. To be believed if @node is valid. */
static void note_bounds(struct cursor *cursor, const struct node *node, unsigned int index)
{
	if (index < node_count(node)) {
		node_copy_key(node, index, &cursor->upper);
		cursor->has_upper = true;
	}
	if (index) {
		node_copy_key(node, index - 1, &cursor->lower);
		cursor->has_lower = true;
	}
}

static int try_load(struct cursor *cursor, struct key key)
{
	struct dbos_pool_read node, parent;
	bool equal;
	int err = tree_root(cursor->tree, &node);

	cursor->has_lower = cursor->has_upper = false;
	while (!err && node_level(node.content)) {
		unsigned int index = node_find(node.content, key, &equal);

		note_bounds(cursor, node.content, index);
		parent = node;
		err = tree_step(cursor->tree, &parent, index, &node);
	}
	if (err)
		return err;
	memcpy(cursor->leaf, node.content, NODE_SIZE);
	return dbos_pool_valid(cursor->tree->pool, &node) ? 0 : TREE_RESTART;
}

/* Copies the leaf for @key, which is not the cursor's. */
static int load(struct cursor *cursor, struct key key)
{
	int err;

	do
		err = try_load(cursor, key);
	while (err == TREE_RESTART);
	return err;
}

/*
 * The leaf that a bound leads to may have become its neighbours' heir since the bound was noted: so
 * the place in it is looked for, too.
 */
static int load_from(struct cursor *cursor, struct key key)
{
	bool equal;
	int err = load(cursor, key);

	if (!err)
		cursor->slot = node_find(leaf_of(cursor), key, &equal);
	return err;
}

static int load_up_to(struct cursor *cursor, struct key key)
{
	bool equal;
	int err = load(cursor, key);

	if (!err)
		cursor->slot = node_find(leaf_of(cursor), key, &equal) + equal;
	return err;
}

/* At the slot, or if there is none at the first one of a later leaf. */
static int settle(struct cursor *cursor)
{
	while (cursor->slot >= leaf_of(cursor)->count) {
		struct key_copy next = cursor->upper;
		int err;

		if (!cursor->has_upper)
			return -ENOENT;
		/* The least key behind the bound. */
		next.bytes[next.length++] = 0;
		err = load_from(cursor, key_of(&next));
		if (err)
			return err;
	}
	return 0;
}

/* At the slot before, or if there is none at the last one of an earlier leaf. */
static int settle_back(struct cursor *cursor)
{
	while (!cursor->slot) {
		struct key_copy next = cursor->lower;
		int err;

		if (!cursor->has_lower)
			return -ENOENT;
		err = load_up_to(cursor, key_of(&next));
		if (err)
			return err;
	}
	cursor->slot--;
	return 0;
}

int cursor_seek(struct cursor *cursor, struct tree *tree, struct key key)
{
	int err;

	cursor->tree = tree;
	err = load_from(cursor, key);
	return err ? err : settle(cursor);
}

int cursor_seek_back(struct cursor *cursor, struct tree *tree, struct key key)
{
	int err;

	cursor->tree = tree;
	err = load_up_to(cursor, key);
	return err ? err : settle_back(cursor);
}

int cursor_next(struct cursor *cursor)
{
	cursor->slot++;
	return settle(cursor);
}

int cursor_previous(struct cursor *cursor)
{
	return settle_back(cursor);
}

struct key cursor_key(const struct cursor *cursor)
{
	struct slot slot = node_slot(leaf_of(cursor), cursor->slot);

	return (struct key){ node_entry(leaf_of(cursor), slot), slot.key };
}

const void *cursor_value(const struct cursor *cursor, size_t *size)
{
	struct slot slot = node_slot(leaf_of(cursor), cursor->slot);

	*size = slot.value;
	return node_entry(leaf_of(cursor), slot) + slot.key;
}
