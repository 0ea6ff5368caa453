// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages by the MMU: a region of addresses, one for each page, whose entries lead to frames.
 *
 * An entry is changed when a page is put into a frame, and at no other time: eviction leaves it,
 * and all TLBs. So it leads to the frame that the page was in last, which may be another's now; and
 * a TLB to one that it was in at some time, until its vCPU meets that and flushes. No vCPU flushes
 * for another. A page that was in no frame yet has an entry that leads to zeroes, so nothing
 * faults.
 *
 * That a page is in one frame only: it is put there with its entry locked, by who has seen then
 * that the frame to which the entry leads is not the page's; and it is in no other, for there was
 * no later one.
 */
#include "cpu/tlb.h"
#include "mm/table.h"
#include "tabby/tabby.h"

/* Only read: what changes a page goes by its frame's own address. */
#define LEADS (DBOS_PTE_P | DBOS_PTE_A | DBOS_PTE_NX)

static uint64_t address(const struct tabby *tabby, uint64_t page)
{
	return tabby->addresses + page * DBOS_PAGE_SIZE;
}

/* The frame that the entry leads to, if it is the page's. */
static uint64_t led_to(const struct tabby *tabby, uint64_t page, uint64_t entry)
{
	uint64_t frame = ((entry & DBOS_PTE_ADDR) - tabby->gpa) / DBOS_PAGE_SIZE;

	return entry & DBOS_PTE_P && frame < tabby->pool.frames &&
	       tabby_name(tabby, frame) == page + 1 ? frame : TABBY_NONE;
}

/* Whatever has brought the caller here, his own TLB is true now. */
static uint64_t look_up(struct tabby *tabby, uint64_t page)
{
	unsigned int level;
	uint64_t entry = table_lookup(tabby->table, address(tabby, page), &level);
	uint64_t frame = level == 1 ? led_to(tabby, page, entry) : TABBY_NONE;

	if (frame == TABBY_NONE)
		return frame;
	tlb_flush_local(tabby->cpus, address(tabby, page), 1);
	tabby_count(&tabby_slot(tabby)->repairs, 1);
	return frame;
}

static int enter(struct tabby *tabby, uint64_t page, uint64_t *frame)
{
	uint64_t mine = *frame, is;
	struct table_entry entry;
	int ret = table_lock(tabby->table, address(tabby, page), 1, &entry);

	if (ret) {
		tabby_give(tabby, &mine, 1);
		return ret;
	}
	is = led_to(tabby, page, entry.value);
	if (is != TABBY_NONE) {
		table_unlock(&entry, entry.value);
		tabby_give(tabby, &mine, 1);
		*frame = is;
		return 0;
	}
	machine_store(&tabby->pool.frame[mine].name, page + 1);
	table_unlock(&entry, (tabby->gpa + mine * DBOS_PAGE_SIZE) | LEADS);
	tlb_flush_local(tabby->cpus, address(tabby, page), 1);
	return 1;
}

static void remove(struct tabby *tabby, uint64_t frame)
{
	machine_store(&tabby->pool.frame[frame].name, 0);
}

const struct tabby_kind tabby_mmu = {
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
