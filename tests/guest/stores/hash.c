// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"
#include "hash.h"

#define BUCKETS 256

struct entry {
	struct entry *next;
	struct record record;
};

struct hash {
	uint64_t count;
	struct entry *bucket[BUCKETS];
};

void hash_create(struct heap *heap)
{
	struct hash *hash = heap_alloc(heap, sizeof(*hash));

	memset(hash, 0, sizeof(*hash));
	heap->root = hash;
}

static struct entry **find(struct hash *hash, uint64_t key)
{
	struct entry **link = &hash->bucket[key * 0x9e3779b97f4a7c15ull >> 56];

	while (*link && (*link)->record.key != key)
		link = &(*link)->next;
	return link;
}

static size_t size_of(const struct entry *entry)
{
	return offsetof(struct entry, record) + record_size(&entry->record);
}

void hash_delete(struct heap *heap, uint64_t key)
{
	struct hash *hash = heap->root;
	struct entry **link = find(hash, key), *entry = *link;

	if (!entry)
		return;
	*link = entry->next;
	hash->count--;
	heap_free(heap, entry, size_of(entry));
}

void hash_put(struct heap *heap, uint64_t key, uint64_t sequence)
{
	char made[sizeof(struct record) + LONGEST] __attribute__((aligned(8)));
	struct record *record = (struct record *)made;
	struct hash *hash = heap->root;
	struct entry *entry, **link;

	hash_delete(heap, key);
	record_fill(record, key, sequence);
	entry = heap_alloc(heap, offsetof(struct entry, record) + record_size(record));
	memcpy(&entry->record, record, record_size(record));
	link = find(hash, key);
	entry->next = *link;
	*link = entry;
	hash->count++;
}

void hash_dump(const struct heap *heap, struct dump *dump)
{
	const struct record *by_key[KEYS] = { NULL };
	const struct hash *hash = heap->root;
	uint64_t count = 0;

	for (unsigned int i = 0; i < BUCKETS; i++) {
		for (const struct entry *entry = hash->bucket[i]; entry; entry = entry->next) {
			check(entry->record.key < KEYS, "the key %#lx", entry->record.key);
			check(!by_key[entry->record.key], "%lu twice", entry->record.key);
			by_key[entry->record.key] = &entry->record;
			count++;
		}
	}
	check(count == hash->count, "%lu entries, not %lu", count, hash->count);
	for (uint64_t key = 0; key < KEYS; key++) {
		if (by_key[key])
			dump->add(dump, by_key[key]);
	}
}
