// SPDX-License-Identifier: BSD-2-Clause
/* Pages by a hash table, with a lock for each bucket: what most engines have. */
#include "tabby/hash.h"
#include "tabby/tabby.h"

struct tabby_bucket {
	struct spinlock lock;
	uint64_t first;			/* frame + 1 */
};

size_t tabby_bucket_bytes(uint64_t buckets)
{
	return buckets * sizeof(struct tabby_bucket);
}

static struct tabby_bucket *bucket_of(const struct tabby *tabby, uint64_t page)
{
	return &tabby->bucket[tabby_mix(page) & tabby->bucket_mask];
}

/* The bucket is locked. */
static uint64_t find_in(const struct tabby *tabby, const struct tabby_bucket *bucket,
			uint64_t page)
{
	uint64_t next = bucket->first;

	while (next && tabby_name(tabby, next - 1) != page + 1)
		next = tabby->next[next - 1];
	return next ? next - 1 : TABBY_NONE;
}

uint64_t tabby_hash_find(const struct dbos_pool *pool, uint64_t page)
{
	struct tabby *tabby = tabby_of(pool);
	struct tabby_bucket *bucket = bucket_of(tabby, page);
	uint64_t irqs = spin_lock(&bucket->lock);
	uint64_t frame = find_in(tabby, bucket, page);

	spin_unlock(&bucket->lock, irqs);
	return frame;
}

static uint64_t look_up(struct tabby *tabby, uint64_t page)
{
	return tabby_hash_find(&tabby->pool, page);
}

static int enter(struct tabby *tabby, uint64_t page, uint64_t *frame)
{
	struct tabby_bucket *bucket = bucket_of(tabby, page);
	uint64_t irqs = spin_lock(&bucket->lock), mine = *frame;
	uint64_t is = find_in(tabby, bucket, page);

	if (is == TABBY_NONE) {
		machine_store(&tabby->pool.frame[mine].name, page + 1);
		tabby->next[mine] = bucket->first;
		bucket->first = mine + 1;
	}
	spin_unlock(&bucket->lock, irqs);
	if (is == TABBY_NONE)
		return 1;
	tabby_give(tabby, &mine, 1);
	*frame = is;
	return 0;
}

static void unlink_frame(struct tabby *tabby, struct tabby_bucket *bucket, uint64_t frame)
{
	uint64_t before = bucket->first;

	if (before == frame + 1) {
		bucket->first = tabby->next[frame];
		return;
	}
	while (tabby->next[before - 1] != frame + 1)
		before = tabby->next[before - 1];
	tabby->next[before - 1] = tabby->next[frame];
}

static void remove(struct tabby *tabby, uint64_t frame)
{
	struct tabby_bucket *bucket = bucket_of(tabby, tabby_name(tabby, frame) - 1);
	uint64_t irqs = spin_lock(&bucket->lock);

	unlink_frame(tabby, bucket, frame);
	machine_store(&tabby->pool.frame[frame].name, 0);
	spin_unlock(&bucket->lock, irqs);
}

const struct tabby_kind tabby_hash = {
	.look_up = look_up,
	.enter = enter,
	.remove = remove,
	.take = tabby_take,
	.give = tabby_give,
	.exchange = tabby_exchange,
	.places = tabby_places,
	.at = tabby_at,
	.resize = tabby_resize,
};
