// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "tree/step.h"

int tree_root(struct tree *tree, struct dbos_pool_read *root)
{
	return dbos_pool_read(tree->pool, tree->root, root);
}

/* A level that does not fit is the work of somebody at the child, or the store is damaged. */
static int check_level(struct tree *tree, const struct dbos_pool_read *child, unsigned int level)
{
	if (node_level(child->content) == level)
		return 0;
	return dbos_pool_valid(tree->pool, child) ? -EILSEQ : TREE_RESTART;
}

int tree_step(struct tree *tree, const struct dbos_pool_read *parent, unsigned int index,
	      struct dbos_pool_read *child)
{
	uint64_t page = node_child(parent->content, index);
	unsigned int level = node_level(parent->content);
	int err;

	/* The number is not to be followed before it is known to be one. */
	if (!dbos_pool_valid(tree->pool, parent))
		return TREE_RESTART;
	err = dbos_pool_read(tree->pool, page, child);
	/* Nor is an error to be believed if the page was freed meanwhile. */
	if (!dbos_pool_valid(tree->pool, parent))
		return TREE_RESTART;
	return err ? err : check_level(tree, child, level - 1);
}

int tree_leaf(struct tree *tree, struct key key, struct dbos_pool_read *leaf)
{
	int err = tree_root(tree, leaf);
	bool equal;

	while (!err && node_level(leaf->content)) {
		struct dbos_pool_read parent = *leaf;

		err = tree_step(tree, &parent, node_find(parent.content, key, &equal), leaf);
	}
	return err;
}

int tree_lock(struct tree *tree, const struct dbos_pool_read *read, struct dbos_pin *pin)
{
	const struct dbos_pool_frame *frame = &tree->pool->frame[read->frame];
	int err;

	if (dbos_pool_upgrade(tree->pool, read, pin))
		return 0;
	if (!dbos_pool_valid(tree->pool, read))
		return TREE_RESTART;
	/* Somebody has it pinned shared, maybe for as long as a transfer takes. */
	err = dbos_pool_pin(tree->pool, read->page, pin);
	if (err)
		return err;
	if (pin->frame == read->frame &&
	    __atomic_load_n(&frame->word, __ATOMIC_RELAXED) / DBOS_POOL_VERSION ==
		    read->word / DBOS_POOL_VERSION)
		return 0;
	dbos_pool_unpin(tree->pool, pin, false);
	return TREE_RESTART;
}
