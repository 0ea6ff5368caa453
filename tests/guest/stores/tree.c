// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"
#include "tree.h"

#define FANOUT 14
#define DEPTH  12

/*
 * What is below to[i] of an inner node has keys from key[i] on, and below key[i + 1]; nobody looks
 * at key[0], which the node's own place bounds.
 */
struct node {
	uint32_t leaf, count;
	uint64_t key[FANOUT];
	void *to[FANOUT];	/* nodes, or records */
};

struct version {
	struct node *root;	/* NULL: nothing is in it */
	uint64_t sequence, count;
};

/* A node while it is changed: it may have one too many. */
struct wide {
	uint32_t leaf, count;
	uint64_t key[FANOUT + 1];
	void *to[FANOUT + 1];
};

/* What stands in the place of a node: one, two or, all of it being deleted, none. */
struct pair {
	struct node *left, *right;
	uint64_t right_key;
};

/* One operation: what it adds or, without a record, deletes, and what of the old is left behind. */
struct change {
	struct heap *heap;
	uint64_t key;
	struct record *record;
	long grown;
	unsigned int old_count;
	struct old {
		void *block;
		size_t size;
	} old[DEPTH + 2];
};

static void leave_behind(struct change *change, void *block, size_t size)
{
	check(change->old_count < DEPTH + 2, "the tree is too deep");
	change->old[change->old_count++] = (struct old){ block, size };
}

static struct node *build_part(struct heap *heap, const struct wide *wide, unsigned int from,
			       unsigned int to)
{
	struct node *node = heap_alloc(heap, sizeof(*node));

	node->leaf = wide->leaf;
	node->count = to - from;
	memcpy(node->key, &wide->key[from], (to - from) * sizeof(node->key[0]));
	memcpy(node->to, &wide->to[from], (to - from) * sizeof(node->to[0]));
	return node;
}

static struct pair build(struct heap *heap, const struct wide *wide)
{
	unsigned int half = wide->count / 2;

	if (!wide->count)
		return (struct pair){ NULL, NULL, 0 };
	if (wide->count <= FANOUT)
		return (struct pair){ build_part(heap, wide, 0, wide->count), NULL, 0 };
	return (struct pair){ build_part(heap, wide, 0, half),
			      build_part(heap, wide, half, wide->count), wide->key[half] };
}

static void insert(struct wide *wide, unsigned int at, uint64_t key, void *to)
{
	unsigned int behind = wide->count++ - at;

	memmove(&wide->key[at + 1], &wide->key[at], behind * sizeof(key));
	memmove(&wide->to[at + 1], &wide->to[at], behind * sizeof(to));
	wide->key[at] = key;
	wide->to[at] = to;
}

static void cut_out(struct wide *wide, unsigned int at)
{
	unsigned int behind = --wide->count - at;

	memmove(&wide->key[at], &wide->key[at + 1], behind * sizeof(wide->key[0]));
	memmove(&wide->to[at], &wide->to[at + 1], behind * sizeof(wide->to[0]));
}

static void change_leaf(struct change *change, struct wide *wide)
{
	unsigned int at = 0;

	while (at < wide->count && wide->key[at] < change->key)
		at++;
	if (at < wide->count && wide->key[at] == change->key) {
		leave_behind(change, wide->to[at], record_size(wide->to[at]));
		cut_out(wide, at);
		change->grown--;
	}
	if (change->record) {
		insert(wide, at, change->key, change->record);
		change->grown++;
	}
}

static struct pair change_below(struct change *change, struct node *node)
{
	struct wide wide = { .leaf = node->leaf, .count = node->count };
	unsigned int at = 0;
	struct pair pair;

	memcpy(wide.key, node->key, sizeof(node->key));
	memcpy(wide.to, node->to, sizeof(node->to));
	leave_behind(change, node, sizeof(*node));
	if (node->leaf) {
		change_leaf(change, &wide);
		return build(change->heap, &wide);
	}
	while (at + 1 < wide.count && wide.key[at + 1] <= change->key)
		at++;
	pair = change_below(change, wide.to[at]);
	wide.to[at] = pair.left;
	if (pair.right)
		insert(&wide, at + 1, pair.right_key, pair.right);
	if (!pair.left)
		cut_out(&wide, at);
	return build(change->heap, &wide);
}

/* It stays as high as it has become until nothing is in it. */
static struct node *root_of(struct heap *heap, struct pair pair)
{
	struct wide wide = { .count = 2, .key = { 0, pair.right_key },
			     .to = { pair.left, pair.right } };

	return pair.right ? build(heap, &wide).left : pair.left;
}

static void apply(struct change *change, uint64_t sequence)
{
	struct heap *heap = change->heap;
	struct version *old = heap->root, *now = heap_alloc(heap, sizeof(*now));
	struct wide first = { .leaf = 1 };

	if (old->root) {
		now->root = root_of(heap, change_below(change, old->root));
	} else {
		change_leaf(change, &first);
		now->root = build(heap, &first).left;
	}
	now->sequence = sequence;
	now->count = old->count + change->grown;
	leave_behind(change, old, sizeof(*old));
	__atomic_store_n(&heap->root, now, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < change->old_count; i++)
		heap_free(heap, change->old[i].block, change->old[i].size);
}

void tree_create(struct heap *heap)
{
	struct version *version = heap_alloc(heap, sizeof(*version));

	*version = (struct version){ NULL, 0, 0 };
	heap->root = version;
}

void tree_put(struct heap *heap, uint64_t key, uint64_t sequence)
{
	char made[sizeof(struct record) + LONGEST] __attribute__((aligned(8)));
	struct record *record = (struct record *)made;
	struct change change = { .heap = heap, .key = key };

	record_fill(record, key, sequence);
	change.record = heap_alloc(heap, record_size(record));
	memcpy(change.record, record, record_size(record));
	apply(&change, sequence);
}

void tree_delete(struct heap *heap, uint64_t key, uint64_t sequence)
{
	struct change change = { .heap = heap, .key = key };

	apply(&change, sequence);
}

uint64_t tree_sequence(const struct heap *heap)
{
	const struct version *version = heap->root;

	return version->sequence;
}

static uint64_t dump_below(const struct node *node, uint64_t from, struct dump *dump,
			   unsigned int depth)
{
	uint64_t count = 0;

	check(node->count && node->count <= FANOUT && depth < DEPTH, "a node of %u", node->count);
	for (unsigned int i = 0; i < node->count; i++) {
		const struct record *record = node->to[i];

		check(i < 2 - node->leaf || node->key[i] > node->key[i - 1], "keys out of order");
		if (!node->leaf) {
			from = i ? node->key[i] : from;
			count += dump_below(node->to[i], from, dump, depth + 1);
			continue;
		}
		check(node->key[i] >= from && record->key == node->key[i], "%lu is where %lu is",
		      record->key, node->key[i]);
		dump->add(dump, record);
		count++;
	}
	return count;
}

void tree_dump(const struct heap *heap, struct dump *dump)
{
	const struct version *version = heap->root;
	uint64_t count = version->root ? dump_below(version->root, 0, dump, 0) : 0;

	check(count == version->count, "%lu records, not %lu", count, version->count);
}
