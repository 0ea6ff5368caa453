/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A B+-tree in a pool's pages, ordered by key, for any number of threads at once.
 *
 * Optimistic lock coupling: who goes down reads nodes without a store, and after each step looks
 * whether the node it came from is still what it was; if not it begins again. Only what is changed
 * is locked: a leaf, or for a split or a removal of empty nodes these and one ancestor. The root
 * stays in its page, so that page's number is all that has to be known of a tree.
 *
 * Leaves that have become empty are given back, with the ancestors that had nothing but them.
 * Leaves that are nearly empty are not joined.
 *
 * Functions return 0, or where said a size, or -errno: -EINVAL: key or value too long; errors of
 * the pool, after which the tree is as it was; -EILSEQ also: what is stored is no tree.
 */
#ifndef TABBY_TREE_H
#define TABBY_TREE_H

#include <stdalign.h>

#include "tree/node.h"

struct tree {
	struct dbos_pool *pool;
	uint64_t root;
};

/* An empty one, in a new page. To open one, fill in struct tree. */
int tree_create(struct dbos_pool *pool, struct tree *tree);

/* -EEXIST: there is such a key. */
int tree_insert(struct tree *tree, struct key key, const void *value, size_t size);

/*
 * Calls @change with the value where it is, to change it, its size excepted. The leaf is locked
 * meanwhile: it must not use the pool. -ENOENT: no such key.
 */
typedef void (*tree_change_fn)(void *arg, void *value, size_t size);
int tree_update(struct tree *tree, struct key key, tree_change_fn change, void *arg);

/* Copies the value, or as much of it as @size has room for, and returns its size; -ENOENT. */
int tree_lookup(struct tree *tree, struct key key, void *value, size_t size);

/* -ENOENT. */
int tree_remove(struct tree *tree, struct key key);

/*
 * A walk through the tree, in copies of its leaves: each was the leaf's content at one moment of
 * the walk, and no page is pinned in between. 4.3 KiB.
 */
struct cursor {
	struct tree *tree;
	unsigned int slot;
	bool has_lower, has_upper;
	struct key_copy lower, upper;	/* the leaf's keys are behind the one, up to the other */
	alignas(16) char leaf[NODE_SIZE];
};

/* To the first key from @key on; to the last one up to @key. -ENOENT: there is none. */
int cursor_seek(struct cursor *cursor, struct tree *tree, struct key key);
int cursor_seek_back(struct cursor *cursor, struct tree *tree, struct key key);

/* From where the last call, which was a success, had got to. -ENOENT: that was the last one. */
int cursor_next(struct cursor *cursor);
int cursor_previous(struct cursor *cursor);

/* In the cursor, until it is moved. */
struct key cursor_key(const struct cursor *cursor);
const void *cursor_value(const struct cursor *cursor, size_t *size);

#endif /* TABBY_TREE_H */
