// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "tree/step.h"

/* Not an error: the leaf has to be split first. */
#define FULL 2

int tree_create(struct dbos_pool *pool, struct tree *tree)
{
	struct dbos_pin pin;
	int err = dbos_pool_new(pool, &pin);

	if (err)
		return err;
	node_init(pin.content, 0);
	*tree = (struct tree){ .pool = pool, .root = pin.page };
	dbos_pool_unpin(pool, &pin, true);
	return 0;
}

static int try_insert(struct tree *tree, struct key key, const void *value, size_t size)
{
	struct dbos_pool_read leaf;
	struct dbos_pin pin;
	unsigned int i;
	bool equal;
	size_t room;
	int err = tree_leaf(tree, key, &leaf);

	if (err)
		return err;
	i = node_find(leaf.content, key, &equal);
	room = node_room(leaf.content);
	if (equal || room < NODE_ENTRY(key.length, size)) {
		if (!dbos_pool_valid(tree->pool, &leaf))
			return TREE_RESTART;
		return equal ? -EEXIST : FULL;
	}
	err = tree_lock(tree, &leaf, &pin);
	if (err)
		return err;
	node_insert(pin.content, i, key, value, size);
	dbos_pool_unpin(tree->pool, &pin, true);
	return 0;
}

int tree_insert(struct tree *tree, struct key key, const void *value, size_t size)
{
	int err;

	if (key.length > NODE_KEY_MAX || size > NODE_VALUE_MAX)
		return -EINVAL;
	do {
		err = try_insert(tree, key, value, size);
		if (err == FULL)
			err = tree_make_room(tree, key, NODE_ENTRY(key.length, size));
		else if (err == 0)
			return 0;
	} while (err >= 0);
	return err;
}

/*
 * Locks the leaf that has @key, as its entry @index: it is locked as it was read, or not at all.
 * -ENOENT: no leaf has it.
 */
static int lock_entry(struct tree *tree, struct key key, struct dbos_pin *pin, unsigned int *index)
{
	struct dbos_pool_read leaf;
	bool equal;
	int err = tree_leaf(tree, key, &leaf);

	if (err)
		return err;
	*index = node_find(leaf.content, key, &equal);
	if (!equal)
		return dbos_pool_valid(tree->pool, &leaf) ? -ENOENT : TREE_RESTART;
	return tree_lock(tree, &leaf, pin);
}

static int try_update(struct tree *tree, struct key key, tree_change_fn change, void *arg)
{
	struct dbos_pin pin;
	struct slot slot;
	unsigned int i;
	int err = lock_entry(tree, key, &pin, &i);

	if (err)
		return err;
	slot = node_slot(pin.content, i);
	change(arg, (char *)pin.content + slot.offset + slot.key, slot.value);
	dbos_pool_unpin(tree->pool, &pin, true);
	return 0;
}

int tree_update(struct tree *tree, struct key key, tree_change_fn change, void *arg)
{
	int err;

	do
		err = try_update(tree, key, change, arg);
	while (err == TREE_RESTART);
	return err;
}

/* Returns the value's size in @found. */
static int try_lookup(struct tree *tree, struct key key, void *value, size_t size, int *found)
{
	struct dbos_pool_read leaf;
	unsigned int i;
	bool equal;
	int err = tree_leaf(tree, key, &leaf);

	if (err)
		return err;
	i = node_find(leaf.content, key, &equal);
	if (equal) {
		struct slot slot = node_slot(leaf.content, i);
		const char *entry = node_entry(leaf.content, slot);

		*found = slot.value;
		if (entry)
			memcpy(value, entry + slot.key, slot.value < size ? slot.value : size);
	}
	if (!dbos_pool_valid(tree->pool, &leaf))
		return TREE_RESTART;
	return equal ? 0 : -ENOENT;
}

int tree_lookup(struct tree *tree, struct key key, void *value, size_t size)
{
	int err, found = 0;

	do
		err = try_lookup(tree, key, value, size, &found);
	while (err == TREE_RESTART);
	return err ? err : found;
}

static int try_remove(struct tree *tree, struct key key, bool *empty)
{
	struct dbos_pin pin;
	unsigned int i;
	int err = lock_entry(tree, key, &pin, &i);

	if (err)
		return err;
	node_remove(pin.content, i);
	*empty = node_count(pin.content) == 0;
	dbos_pool_unpin(tree->pool, &pin, true);
	return 0;
}

int tree_remove(struct tree *tree, struct key key)
{
	bool empty = false;
	int err;

	do
		err = try_remove(tree, key, &empty);
	while (err == TREE_RESTART);
	if (err || !empty)
		return err;
	/* An empty leaf that stays, after an error of the pool, is in nobody's way. */
	while (tree_prune(tree, key) == TREE_RESTART)
		;
	return 0;
}
