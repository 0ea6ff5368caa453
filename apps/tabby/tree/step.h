/* SPDX-License-Identifier: BSD-2-Clause */
/* The way down, which all operations share. */
#ifndef TABBY_TREE_STEP_H
#define TABBY_TREE_STEP_H

#include "tree/tree.h"

/* Something has changed: begin again at the root. */
#define TREE_RESTART 1

/* Deeper than any tree of 2^64 bytes: each inner node but those on the edges has 20 children. */
#define TREE_DEPTH 16

int tree_root(struct tree *tree, struct dbos_pool_read *root);

/* To child @index of @parent, both as of one moment. */
int tree_step(struct tree *tree, const struct dbos_pool_read *parent, unsigned int index,
	      struct dbos_pool_read *child);

/* To the leaf for @key. */
int tree_leaf(struct tree *tree, struct key key, struct dbos_pool_read *leaf);

/* Pins what was read, if it is still so; waits for whoever has it pinned: only with no pin held. */
int tree_lock(struct tree *tree, const struct dbos_pool_read *read, struct dbos_pin *pin);

/*
 * Splits the uppermost node on the way to @key that has too little room, so that there is more for
 * an entry of @need bytes: one call may not be enough.
 */
int tree_make_room(struct tree *tree, struct key key, size_t need);

/* Takes the leaf for @key out of the tree if it is empty. */
int tree_prune(struct tree *tree, struct key key);

#endif /* TABBY_TREE_STEP_H */
