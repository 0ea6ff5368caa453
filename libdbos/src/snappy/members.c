// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which pages are members. A member is any range of pages, and 2 MiB may hold pages of several and
 * pages of none. Those of none are one memory for all branches: each leaf table has the same
 * entries for them, with the rights that they had when the first member came there.
 *
 * What is looked at here changes in a stopped world only, so that handlers and system calls, which
 * look at any moment, do so without a lock.
 */
#include <errno.h>
#include <string.h>

#include "snappy/engine.h"

/* The first that ends behind @va, or @count. */
static uint64_t first_behind(const struct member *member, uint64_t count, uint64_t va)
{
	uint64_t lo = 0, hi = count;

	while (lo < hi) {
		uint64_t middle = (lo + hi) / 2;

		if (va >= member[middle].end)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

bool snappy_is_member(const struct snappy *snappy, uint64_t va)
{
	uint64_t count = machine_load(&snappy->member_count);
	uint64_t i = first_behind(snappy->member, count, va);

	return i < count && va >= snappy->member[i].va;
}

bool snappy_has_members(const struct snappy *snappy, uint64_t va, uint64_t length)
{
	uint64_t count = machine_load(&snappy->member_count);
	uint64_t i = first_behind(snappy->member, count, va);

	return i < count && va + length > snappy->member[i].va;
}

bool snappy_touches(const struct snappy *snappy, uint64_t va, uint64_t length)
{
	uint64_t count = machine_load(&snappy->run_count);
	uint64_t i = first_behind(snappy->run, count, va);

	return i < count && va + length > snappy->run[i].va;
}

uint64_t snappy_next_range(const struct snappy *snappy, uint64_t va)
{
	uint64_t i = first_behind(snappy->run, snappy->run_count, va);

	if (i == snappy->run_count)
		return 0;
	return snappy->run[i].va > va ? snappy->run[i].va : va;
}

uint64_t snappy_home(const struct snappy *snappy, uint64_t va)
{
	uint64_t i = first_behind(snappy->member, snappy->member_count, va);
	const struct member *member = &snappy->member[i];

	if (i == snappy->member_count || va < member->va)
		return 0;
	return member->gpa + (va - member->va);
}

bool snappy_next_span(const struct snappy *snappy, uint64_t range, struct span *span)
{
	uint64_t va = range + span->end * FRAME_SIZE, count = machine_load(&snappy->member_count);
	uint64_t i = first_behind(snappy->member, count, va), end;

	if (i == count || snappy->member[i].va >= range + SNAPPY_RANGE)
		return false;
	end = snappy->member[i].end - range;
	span->first = (snappy->member[i].va > va ? snappy->member[i].va - range : va - range) /
		      FRAME_SIZE;
	span->end = (end < SNAPPY_RANGE ? end : SNAPPY_RANGE) / FRAME_SIZE;
	return span->end > span->first;
}

/* The last may hold the first 2 MiB already: as those of two members, so they are kept. */
static void add_run(struct snappy *snappy, uint64_t va, uint64_t end, bool kept)
{
	uint64_t count = snappy->run_count;
	struct member *last = count ? &snappy->run[count - 1] : NULL;

	if (last && va < last->end)
		va = last->end;
	if (va >= end)
		return;
	if (last && va == last->end && kept == last->kept) {
		last->end = end;
		return;
	}
	snappy->run[count] = (struct member){ .va = va, .end = end, .kept = kept };
	machine_store(&snappy->run_count, count + 1);
}

/* Each member in whole 2 MiB; its first and its last may be others' too. */
static void find_runs(struct snappy *snappy)
{
	machine_store(&snappy->run_count, 0);
	for (uint64_t i = 0; i < snappy->member_count; i++) {
		const struct member *member = &snappy->member[i];
		uint64_t va = member->va & ~(SNAPPY_RANGE - 1);
		uint64_t whole = (member->va + SNAPPY_RANGE - 1) & ~(SNAPPY_RANGE - 1);
		uint64_t end = member->end & ~(SNAPPY_RANGE - 1);

		add_run(snappy, va, whole, true);
		add_run(snappy, whole, end, member->kept);
		if (member->end > end)
			add_run(snappy, end, end + SNAPPY_RANGE, true);
	}
}

/*
 * Down to entries of 2 MiB, and to those of 4 KiB where not all of them are members'. Tables that
 * are there already are the process's own, as of now.
 */
static int prepare_range(struct snappy *snappy, uint64_t range, bool whole)
{
	struct table_entry entry;
	int ret = table_lock(&snappy->own.table, range, whole ? 2 : 1, &entry);
	struct life *life;
	uint64_t pde;

	if (!ret)
		table_unlock(&entry, entry.value);
	else if (ret != -EEXIST)
		return ret;
	pde = machine_load(snappy_pde(snappy, &snappy->own, range));
	if (!entry_is_table(pde))
		return 0;
	life = life_of(&snappy->lives, pde & DBOS_PTE_ADDR);
	machine_store(&life->birth, snappy->epoch);
	machine_store(&life->generation, LIFE_FLUSHED);
	return 0;
}

static int prepare(struct snappy *snappy, uint64_t va, uint64_t end)
{
	uint64_t range = va & ~(SNAPPY_RANGE - 1);
	int ret = 0;

	for (; !ret && range < end; range += SNAPPY_RANGE)
		ret = prepare_range(snappy, range, va <= range && range + SNAPPY_RANGE <= end);
	return ret;
}

static int check(const struct snappy *snappy, uint64_t va, uint64_t end)
{
	uint64_t i = first_behind(snappy->member, snappy->member_count, va);

	if ((va | end) % FRAME_SIZE || va >= end)
		return -EINVAL;
	if (snappy->ready_count)
		return -EBUSY;
	if (snappy->branches && ((va | end) % SNAPPY_RANGE || snappy_touches(snappy, va, end - va)))
		return -EBUSY;
	if (snappy->lives.count == LIVES_EXTENTS)
		return -ENOSPC;
	return i < snappy->member_count && snappy->member[i].va < end ? -EEXIST : 0;
}

static void insert(struct snappy *snappy, uint64_t va, uint64_t end,
		   const struct lives_extent *memory, bool kept)
{
	struct lives_extent extent = *memory;
	uint64_t at = snappy->member_count;

	extent.va = va;
	lives_add(&snappy->lives, &extent);
	for (; at > 0 && snappy->member[at - 1].va > va; at--)
		snappy->member[at] = snappy->member[at - 1];
	snappy->member[at] = (struct member){
		.va = va, .end = end, .gpa = memory->gpa, .kept = kept,
	};
	machine_store(&snappy->member_count, snappy->member_count + 1);
	find_runs(snappy);
}

void snappy_forget_member(struct snappy *snappy, uint64_t va, struct lives_extent *extent)
{
	uint64_t at = first_behind(snappy->member, snappy->member_count, va);
	struct lives *lives = &snappy->lives;

	for (; extent + 1 < lives->extent + lives->count; extent++)
		extent[0] = extent[1];
	machine_store(&lives->count, lives->count - 1);
	for (; at + 1 < snappy->member_count; at++)
		snappy->member[at] = snappy->member[at + 1];
	machine_store(&snappy->member_count, snappy->member_count - 1);
	find_runs(snappy);
}

int snappy_add_member(struct snappy *snappy, uint64_t va, const struct lives_extent *memory,
		      bool kept)
{
	uint64_t end = va + memory->count * FRAME_SIZE;
	int ret = check(snappy, va, end);

	if (!ret)
		ret = prepare(snappy, va, end);
	if (ret)
		return ret;
	for (uint64_t i = 0; i < memory->count; i++)
		memory->life[i] = (struct life){
			.birth = snappy->epoch, .frame = va + i * FRAME_SIZE,
		};
	ret = world_stop(snappy->cpus);
	if (ret)
		return ret;
	if (snappy->branches)
		ret = snappy_hide(snappy, va, end);
	if (!ret)
		insert(snappy, va, end, memory, kept);
	world_start(snappy->cpus);
	return ret;
}
