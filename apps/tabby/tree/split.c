// SPDX-License-Identifier: BSD-2-Clause
#include "tree/step.h"

/*
 * The root's content goes down to two new pages: the root stays where it is. Both are made before
 * anything has changed.
 */
static int split_root(struct tree *tree, const struct dbos_pool_read *read)
{
	struct dbos_pool *pool = tree->pool;
	struct dbos_pin root, left, right;
	struct key_copy separator;
	struct node *node;
	int err = tree_lock(tree, read, &root);

	if (err)
		return err;
	err = dbos_pool_new(pool, &left);
	if (err)
		goto unpin_root;
	err = dbos_pool_new(pool, &right);
	if (err)
		goto free_left;
	node = root.content;
	memcpy(left.content, node, NODE_SIZE);
	node_split(left.content, right.content, &separator);
	node_init(node, node_level(node) + 1);
	node_insert(node, 0, key_of(&separator), &left.page, sizeof(left.page));
	node->upper = right.page;
	dbos_pool_unpin(pool, &right, true);
	dbos_pool_unpin(pool, &left, true);
	dbos_pool_unpin(pool, &root, true);
	return 0;

free_left:
	dbos_pool_free(pool, &left);
unpin_root:
	dbos_pool_unpin(pool, &root, false);
	return err;
}

/* Child @index of @parent_read, which has room for the separator. */
static int split(struct tree *tree, const struct dbos_pool_read *parent_read, unsigned int index,
		 const struct dbos_pool_read *read)
{
	struct dbos_pool *pool = tree->pool;
	struct dbos_pin parent, left, right;
	struct key_copy separator;
	int err = tree_lock(tree, parent_read, &parent);

	if (err)
		return err;
	/* Does not wait: who waits with a pin may be waited for. */
	err = TREE_RESTART;
	if (!dbos_pool_upgrade(pool, read, &left))
		goto unpin_parent;
	err = dbos_pool_new(pool, &right);
	if (err)
		goto unpin_left;
	node_split(left.content, right.content, &separator);
	/* What led to all of it leads to the upper half, and before that comes the lower one. */
	node_set_child(parent.content, index, right.page);
	node_insert(parent.content, index, key_of(&separator), &left.page, sizeof(left.page));
	dbos_pool_unpin(pool, &right, true);
	dbos_pool_unpin(pool, &left, true);
	dbos_pool_unpin(pool, &parent, true);
	return 0;

unpin_left:
	dbos_pool_unpin(pool, &left, false);
unpin_parent:
	dbos_pool_unpin(pool, &parent, false);
	return err;
}

int tree_make_room(struct tree *tree, struct key key, size_t need)
{
	struct dbos_pool_read parent, node;
	unsigned int index = 0;
	bool has_parent = false, equal;
	int err = tree_root(tree, &node);

	while (!err) {
		unsigned int level = node_level(node.content);

		if (node_room(node.content) < (level ? NODE_SEPARATOR : need))
			return has_parent ? split(tree, &parent, index, &node) :
					    split_root(tree, &node);
		if (!level)
			return TREE_RESTART;
		parent = node;
		has_parent = true;
		index = node_find(parent.content, key, &equal);
		err = tree_step(tree, &parent, index, &node);
	}
	return err;
}
