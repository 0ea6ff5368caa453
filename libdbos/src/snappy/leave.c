// SPDX-License-Identifier: BSD-2-Clause
/*
 * A member that is none any more. Its pages have gone to whatever frames were free, and its own
 * frames to whatever pages were copied; each page goes back to where it was at first. There are no
 * snapshots, so a frame is one page's, or free. The world is stopped.
 */
#include <errno.h>
#include <stddef.h>

#include "snappy/engine.h"

/* Of a page of the process; NULL: it is part of a leaf of 2 MiB, so it has never moved. */
static uint64_t *entry_of(const struct snappy *snappy, uint64_t va)
{
	uint64_t *word = snappy_pde(snappy, &snappy->own, va), *entries;
	uint64_t entry = word ? machine_load(word) : 0;

	if (!entry_is_table(entry))
		return NULL;
	entries = frames_memory(snappy->pool, entry & DBOS_PTE_ADDR);
	return &entries[va / FRAME_SIZE % TABLE_ENTRIES];
}

/* Each frame that is mapped knows its page; what it is when it is free is written then. */
static void note_pages(struct snappy *snappy)
{
	for (uint64_t i = 0; i < snappy->member_count; i++) {
		const struct member *member = &snappy->member[i];

		for (uint64_t va = member->va; va < member->end; va += FRAME_SIZE) {
			uint64_t *entry = entry_of(snappy, va);

			if (entry && *entry & DBOS_PTE_P)
				life_of(&snappy->lives, *entry & DBOS_PTE_ADDR)->frame = va;
		}
	}
}

/* The entry of the page that is at @gpa, or NULL. */
static uint64_t *entry_at(const struct snappy *snappy, uint64_t gpa)
{
	uint64_t va = life_of(&snappy->lives, gpa)->frame, *entry;

	if (!snappy_is_member(snappy, va))
		return NULL;
	entry = entry_of(snappy, va);
	return entry && *entry & DBOS_PTE_P && (*entry & DBOS_PTE_ADDR) == gpa ? entry : NULL;
}

static void swap_pages(struct snappy *snappy, uint64_t a, uint64_t b)
{
	uint64_t *of_a = life_memory(&snappy->lives, a), *of_b = life_memory(&snappy->lives, b);

	for (unsigned int i = 0; i < FRAME_SIZE / sizeof(uint64_t); i++) {
		uint64_t word = of_a[i];

		of_a[i] = of_b[i];
		of_b[i] = word;
	}
}

static void lead_to(uint64_t *entry, uint64_t gpa)
{
	uint64_t flags = machine_load(entry) & ~DBOS_PTE_ADDR;

	machine_store(entry, gpa | flags | DBOS_PTE_W | DBOS_PTE_D);
}

/* Who is at its home goes where it was. Returns the frame that is free by that, or NULL. */
static struct life *go_home(struct snappy *snappy, uint64_t *entry, uint64_t va, uint64_t home)
{
	uint64_t away = machine_load(entry) & DBOS_PTE_ADDR;
	uint64_t *there = entry_at(snappy, home);
	struct life *life = NULL;

	if (there) {
		swap_pages(snappy, away, home);
		lead_to(there, away);
		life_of(&snappy->lives, away)->frame = life_of(&snappy->lives, home)->frame;
	} else {
		snappy_copy_page(snappy, home, away);
		life = life_of(&snappy->lives, away);
		life->frame = away;
	}
	life_of(&snappy->lives, home)->frame = va;
	lead_to(entry, home);
	return life;
}

/* All of them; those that leave with the member are not free, but at home. */
static struct life *all_go_home(struct snappy *snappy, const struct member *member,
				const struct lives_extent *extent)
{
	struct life *free = NULL;

	for (uint64_t va = member->va; va < member->end; va += FRAME_SIZE) {
		uint64_t home = extent->gpa + (va - member->va), *entry = entry_of(snappy, va);
		struct life *life = NULL;

		if (!entry || !(*entry & DBOS_PTE_P))
			continue;
		if ((*entry & DBOS_PTE_ADDR) != home)
			life = go_home(snappy, entry, va, home);
		machine_store(entry, machine_load(entry) | DBOS_PTE_W);
		if (!life || lives_are_of(extent, life))
			continue;
		life->next = free;
		free = life;
	}
	return free;
}

/* Nobody has cut anything of it: it may be written. */
static void open_ranges(struct snappy *snappy, const struct member *member)
{
	uint64_t va = member->va & ~(SNAPPY_RANGE - 1);

	for (; va < member->end; va += SNAPPY_RANGE) {
		uint64_t *word = snappy_pde(snappy, &snappy->own, va);

		machine_store(word, machine_load(word) | DBOS_PTE_W);
	}
}

/* At one of its pages, or at another member's that has one of its frames and would have to move. */
static bool host_is_at_it(struct snappy *snappy, const struct member *member,
			  const struct lives_extent *extent)
{
	uint64_t limit = machine_load(&snappy->cpus->limit), host = (uint64_t)extent->outside;

	for (uint64_t i = 0; i < limit; i++) {
		const struct inflight *inflight = &snappy->inflights->cpu[i];
		uint64_t count = machine_load(&inflight->count);

		for (uint64_t k = 0; k < count; k++) {
			const struct inflight_piece *piece = inflight_at(inflight, k);

			if (piece->va < member->end && member->va < piece->va + piece->length)
				return true;
		}
	}
	return machine_load(&snappy->inflights->waiting) > 0 ||
	       inflight_uses(snappy->inflights, limit, host, host + extent->count * FRAME_SIZE);
}

/*
 * A write fault that has begun beside a snapshot may have got one of its frames for a copy, and is
 * between two attempts: then some page's home is neither another one's nor resting.
 */
static bool fault_has_one(struct snappy *snappy, const struct member *member,
			  const struct lives_extent *extent)
{
	uint64_t homeless = 0;

	for (uint64_t va = member->va; va < member->end; va += FRAME_SIZE) {
		uint64_t home = extent->gpa + (va - member->va);
		const uint64_t *entry = entry_of(snappy, va);

		if (entry && *entry & DBOS_PTE_P && (*entry & DBOS_PTE_ADDR) != home)
			homeless += !entry_at(snappy, home);
	}
	return homeless > snappy_resting_of(snappy, extent);
}

/* The member's frame that is first in its memory. */
static struct lives_extent *extent_of(struct snappy *snappy, uint64_t va)
{
	for (uint64_t i = 1; i < snappy->lives.count; i++) {
		if (snappy->lives.extent[i].va == va)
			return &snappy->lives.extent[i];
	}
	return NULL;
}

static void leave(struct snappy *snappy, const struct member *member, struct lives_extent *extent)
{
	struct life *free, *life;
	uint64_t generation;

	free = all_go_home(snappy, member, extent);
	snappy_wake(snappy, extent);
	open_ranges(snappy, member);
	generation = tlb_flush(snappy->cpus, 0, TLB_ALL_PAGES, TLB_LAZY);
	for (life = free; life; life = life->next)
		life->generation = generation;
	snappy_free_lives(snappy, free);
}

int snappy_remove_member(struct snappy *snappy, uint64_t va, struct lives_extent *memory)
{
	struct lives_extent *extent = extent_of(snappy, va);
	struct member member;
	int ret = -EINVAL;

	if (!extent)
		return -EINVAL;
	if (snappy->branches)
		return -EBUSY;
	ret = world_stop(snappy->cpus);
	if (ret)
		return ret;
	member = (struct member){ .va = va, .end = va + extent->count * FRAME_SIZE };
	note_pages(snappy);
	if (host_is_at_it(snappy, &member, extent) || fault_has_one(snappy, &member, extent)) {
		ret = -EBUSY;
	} else {
		leave(snappy, &member, extent);
		*memory = *extent;
		snappy_forget_member(snappy, va, extent);
	}
	world_start(snappy->cpus);
	return ret;
}
