// SPDX-License-Identifier: BSD-2-Clause
/* Which pages there are. Page 0 is the store's own: how many, and the first that is free. */
#include <string.h>

#include "tabby/store.h"

#define MAGIC	0x7962626174ull		/* "tabby" */
#define VERSION 1

struct first_page {
	uint64_t magic, version;
	uint64_t pages;
	uint64_t free;			/* 0: none */
};

int tabby_store_format(struct tabby *tabby)
{
	struct dbos_pin pin;
	int64_t frame;

	tabby->page_count = 1;
	frame = tabby_get(tabby, 0, TABBY_NEW, TABBY_NONE);
	if (frame < 0)
		return frame;
	pin = (struct dbos_pin){ .frame = frame };
	memset(tabby_memory(tabby, frame), 0, DBOS_PAGE_SIZE);
	((struct tabby_header *)tabby_memory(tabby, frame))->frame = frame;
	dbos_pool_unpin(&tabby->pool, &pin, true);
	return 0;
}

int tabby_store_open(struct tabby *tabby)
{
	const struct first_page *first;
	struct dbos_pin pin;
	int ret;

	tabby->page_count = 1;
	ret = dbos_pool_pin_shared(&tabby->pool, 0, &pin);
	if (ret)
		return ret;
	first = pin.content;
	if (first->magic != MAGIC || first->version != VERSION || !first->pages)
		ret = -EILSEQ;
	else if (first->pages > tabby->pool.pages)
		ret = -E2BIG;
	tabby->free_page = first->free;
	if (!ret)
		machine_store(&tabby->page_count, first->pages);
	dbos_pool_unpin_shared(&tabby->pool, &pin);
	return ret;
}

int tabby_store_save(struct tabby *tabby)
{
	struct dbos_pin pin;
	int ret = dbos_pool_pin(&tabby->pool, 0, &pin);
	uint64_t irqs;

	if (ret)
		return ret;
	irqs = spin_lock(&tabby->store_lock);
	*(struct first_page *)pin.content = (struct first_page){
		.magic = MAGIC, .version = VERSION, .free = tabby->free_page,
		.pages = machine_load(&tabby->page_count),
	};
	spin_unlock(&tabby->store_lock, irqs);
	dbos_pool_unpin(&tabby->pool, &pin, true);
	return 0;
}

/* The next free page is in the page, so it is pinned first. It may be somebody's by then. */
static int take_free(struct tabby *tabby, uint64_t page, struct dbos_pin *pin)
{
	int ret = dbos_pool_pin(&tabby->pool, page, pin);
	uint64_t irqs;
	bool is_mine;

	if (ret)
		return ret;
	irqs = spin_lock(&tabby->store_lock);
	is_mine = tabby->free_page == page;
	if (is_mine)
		machine_store(&tabby->free_page, *(uint64_t *)pin->content);
	spin_unlock(&tabby->store_lock, irqs);
	if (is_mine)
		return 1;
	dbos_pool_unpin(&tabby->pool, pin, false);
	return 0;
}

/* A number that no page had; with its frame there already, nothing can fail but the page table. */
static int take_number(struct tabby *tabby, uint64_t *page)
{
	*page = machine_load(&tabby->page_count);
	do {
		if (*page >= tabby->pool.pages)
			return -ENOSPC;
	} while (!machine_cas(&tabby->page_count, page, *page + 1));
	return 0;
}

static int begin_page(struct tabby *tabby, struct dbos_pin *pin)
{
	uint64_t page;
	int64_t frame;
	int ret = take_number(tabby, &page);

	if (ret)
		return ret;
	frame = tabby_get(tabby, page, TABBY_NEW, TABBY_NONE);
	if (frame < 0) {
		uint64_t next = page + 1;

		/* If others have begun one meanwhile, the number is lost. */
		machine_cas(&tabby->page_count, &next, page);
		return frame;
	}
	*pin = (struct dbos_pin){
		.frame = frame, .page = page,
		.content = (char *)tabby_memory(tabby, frame) + DBOS_POOL_HEADER,
	};
	return 0;
}

int dbos_pool_new(struct dbos_pool *pool, struct dbos_pin *pin)
{
	struct tabby *tabby = tabby_of(pool);
	uint64_t page, word;
	int ret = 0;

	while (!ret && (page = machine_load(&tabby->free_page)))
		ret = take_free(tabby, page, pin);
	if (!ret)
		ret = begin_page(tabby, pin);
	if (ret < 0)
		return ret;
	/* Whoever unpins it, it is to be written. */
	word = tabby_word(tabby, pin->frame);
	machine_store(&pool->frame[pin->frame].word, word | DBOS_POOL_DIRTY);
	return 0;
}

void dbos_pool_free(struct dbos_pool *pool, struct dbos_pin *pin)
{
	struct tabby *tabby = tabby_of(pool);
	uint64_t irqs = spin_lock(&tabby->store_lock);

	*(uint64_t *)pin->content = tabby->free_page;
	machine_store(&tabby->free_page, pin->page);
	spin_unlock(&tabby->store_lock, irqs);
	dbos_pool_unpin(pool, pin, true);
}
