// SPDX-License-Identifier: BSD-2-Clause
/* Opening a pool, and closing it. */
#include <string.h>

#include "tabby/addresses.h"
#include "tabby/files.h"
#include "tabby/hash.h"
#include "tabby/memory.h"
#include "tabby/store.h"

#define FLAGS (DBOS_POOL_FORMAT | DBOS_POOL_NO_CHECKSUMS | DBOS_POOL_NO_RING)

/* A hint is 32 bits; two frame numbers mean something else. */
#define FRAMES_MAX (1ull << 31)
#define PAGES_MAX  (1ull << 40)

static const struct tabby_kind *const kinds[] = {
	[DBOS_POOL_MMU] = &tabby_mmu,
	[DBOS_POOL_HASH] = &tabby_hash,
	[DBOS_POOL_MADVISE] = &tabby_madvise,
};

static bool is_sound(const struct dbos_pool_config *config)
{
	uint64_t most = config->frames_max ? config->frames_max : config->frames;

	return config->kind <= DBOS_POOL_MADVISE && !(config->flags & ~FLAGS) && config->pages &&
	       config->pages <= PAGES_MAX && config->frames >= TABBY_LEAST &&
	       config->frames <= most && most <= FRAMES_MAX && config->batch <= TABBY_BATCH &&
	       (config->device || (config->files && config->file_count));
}

static uint64_t power_of_two(uint64_t least)
{
	uint64_t power = 1;

	while (power < least)
		power *= 2;
	return power;
}

static size_t frames_bytes(const struct tabby *tabby)
{
	return tabby->pool.frames * sizeof(struct dbos_pool_frame);
}

static size_t next_bytes(const struct tabby *tabby)
{
	return tabby->pool.frames * sizeof(*tabby->next);
}

static size_t resident_bytes(const struct tabby *tabby)
{
	return (tabby->resident_mask + 1) * sizeof(*tabby->resident);
}

/* Frames are free, or will be when there are to be more. */
static int open_frames(struct tabby *tabby)
{
	tabby->next = tabby_map(next_bytes(tabby));
	if (!tabby->next)
		return -ENOMEM;
	for (uint64_t frame = 0; frame < tabby->pool.frames; frame++) {
		tabby->pool.frame[frame].word = DBOS_POOL_LOCKED;
		tabby->next[frame] = TABBY_DROPPED;
	}
	/* The first one is handed out first. */
	for (uint64_t frame = tabby->limit; frame-- > 0;)
		tabby_give(tabby, &frame, 1);
	return 0;
}

static int open_hash(struct tabby *tabby)
{
	uint64_t buckets = power_of_two(tabby->pool.frames);

	tabby->bucket = tabby_map(tabby_bucket_bytes(buckets));
	tabby->bucket_mask = buckets - 1;
	tabby->pool.find = tabby_hash_find;
	return tabby->bucket ? 0 : -ENOMEM;
}

static int open_kind(struct tabby *tabby, const struct dbos_pool_config *config)
{
	int ret;

	tabby->pool.frame = tabby_map(frames_bytes(tabby));
	tabby->pool.memory = tabby_map(tabby->pool.frames * DBOS_PAGE_SIZE);
	if (!tabby->pool.frame || !tabby->pool.memory)
		return -ENOMEM;
	if (config->kind == DBOS_POOL_MADVISE) {
		tabby->resident_mask = power_of_two(2 * tabby->limit_max) - 1;
		tabby->resident = tabby_map(resident_bytes(tabby));
		return tabby->resident ? 0 : -ENOMEM;
	}
	tabby_use_huge_pages(tabby->pool.memory, tabby->pool.frames * DBOS_PAGE_SIZE);
	ret = open_frames(tabby);
	if (ret)
		return ret;
	return config->kind == DBOS_POOL_MMU ? tabby_addresses_open(tabby, config->dbos) :
					       open_hash(tabby);
}

static void destroy(struct tabby *tabby)
{
	tabby_files_close(tabby);
	tabby_addresses_close(tabby);
	tabby_unmap(tabby->bucket, tabby_bucket_bytes(tabby->bucket_mask + 1));
	tabby_unmap(tabby->resident, resident_bytes(tabby));
	tabby_unmap(tabby->next, next_bytes(tabby));
	tabby_unmap(tabby->pool.memory, tabby->pool.frames * DBOS_PAGE_SIZE);
	tabby_unmap(tabby->pool.frame, frames_bytes(tabby));
	tabby_unmap(tabby, sizeof(*tabby));
}

static void set_up(struct tabby *tabby, const struct dbos_pool_config *config)
{
	tabby->kind = kinds[config->kind];
	tabby->checksums = !(config->flags & DBOS_POOL_NO_CHECKSUMS);
	tabby->batch = config->batch ? config->batch : TABBY_BATCH;
	tabby->limit = config->frames;
	tabby->limit_max = config->frames_max ? config->frames_max : config->frames;
	tabby->pool.pages = config->pages;
	tabby->pool.frames = config->kind == DBOS_POOL_MADVISE ? config->pages : tabby->limit_max;
	/* A batch that is most of all frames would evict what was just loaded. */
	if (tabby->batch > tabby->limit / 4)
		tabby->batch = tabby->limit / 4;
}

int dbos_pool_open(const struct dbos_pool_config *config, struct dbos_pool **pool)
{
	struct tabby *tabby;
	int ret;

	if (!is_sound(config))
		return -EINVAL;
	tabby = tabby_map(sizeof(*tabby));
	if (!tabby)
		return -ENOMEM;
	set_up(tabby, config);
	ret = open_kind(tabby, config);
	if (!ret && config->device)
		tabby->device = *config->device;
	else if (!ret)
		ret = tabby_files_open(tabby, config);
	if (!ret)
		ret = config->flags & DBOS_POOL_FORMAT ? tabby_store_format(tabby) :
							 tabby_store_open(tabby);
	if (!ret && config->flags & DBOS_POOL_FORMAT)
		ret = dbos_pool_flush(&tabby->pool);
	if (ret)
		destroy(tabby);
	else
		*pool = &tabby->pool;
	return ret;
}

int dbos_pool_close(struct dbos_pool *pool)
{
	int ret = dbos_pool_flush(pool);

	if (!ret)
		destroy(tabby_of(pool));
	return ret;
}

void dbos_pool_abandon(struct dbos_pool *pool)
{
	destroy(tabby_of(pool));
}
