// SPDX-License-Identifier: BSD-2-Clause
/*
 * An empty leaf goes, and with it the nodes above that have nothing but it. What is left is a chain
 * from the first ancestor that has more, or the root, down to the leaf: all of it is locked from
 * above, the ancestor loses its child, the others are freed. The neighbour that takes over the
 * leaf's keys is not touched: nobody is misled there by finding more keys to be its own.
 */
#include "tree/step.h"

struct chain {
	struct dbos_pool_read node[TREE_DEPTH];
	unsigned int length;
	unsigned int index;	/* of the chain's second in its first */
};

static int find_chain(struct tree *tree, struct key key, struct chain *chain)
{
	struct dbos_pool_read *last = chain->node;
	int err = tree_root(tree, last);
	bool equal;

	while (!err && node_level(last->content)) {
		unsigned int i = node_find(last->content, key, &equal);

		if (last == chain->node || node_count(last->content)) {
			chain->node[0] = *last;
			chain->index = i;
			last = chain->node;
		}
		if (last == &chain->node[TREE_DEPTH - 1])
			return TREE_RESTART;
		err = tree_step(tree, last, i, last + 1);
		last++;
	}
	chain->length = last - chain->node + 1;
	return err;
}

/* Returns how many of them it has locked. */
static unsigned int lock_chain(struct tree *tree, const struct chain *chain, struct dbos_pin *pin)
{
	unsigned int i = 0;

	while (i < chain->length && dbos_pool_upgrade(tree->pool, &chain->node[i], &pin[i]))
		i++;
	return i;
}

int tree_prune(struct tree *tree, struct key key)
{
	struct dbos_pin pin[TREE_DEPTH];
	struct chain chain;
	unsigned int locked;
	int err = find_chain(tree, key, &chain);

	/* A root that is a leaf may be empty; and somebody may have filled this one again. */
	if (err || chain.length < 2 || node_count(chain.node[chain.length - 1].content))
		return err;
	locked = lock_chain(tree, &chain, pin);
	if (locked < chain.length) {
		while (locked)
			dbos_pool_unpin(tree->pool, &pin[--locked], false);
		return TREE_RESTART;
	}
	if (node_count(pin[0].content))
		node_remove_child(pin[0].content, chain.index);
	else
		node_init(pin[0].content, 0);
	while (--locked)
		dbos_pool_free(tree->pool, &pin[locked]);
	dbos_pool_unpin(tree->pool, &pin[0], true);
	return 0;
}
