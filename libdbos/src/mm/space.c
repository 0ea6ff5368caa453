// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "cpu/ring3.h"
#include "dbos_internal.h"
#include "mm/cover.h"
#include "mm/space.h"

/* A and D are set already: then the processor needs not. */
#define USER_LEAF (DBOS_PTE_P | DBOS_PTE_U | DBOS_PTE_A | DBOS_PTE_D)
#define OWN_LEAF  (DBOS_PTE_P | DBOS_PTE_A | DBOS_PTE_D)

static int set_page(struct space *space, uint64_t va, uint64_t value)
{
	struct table_entry entry;
	int ret = table_lock(&space->table, va, 1, &entry);

	if (!ret)
		table_unlock(&entry, value);
	return ret;
}

/* libdbos's own, which lies where the process has it, whatever the guest's table says. */
static int map_own(struct space *space, const void *from, uint64_t pages, uint64_t flags)
{
	uint64_t va = (uint64_t)from;
	int ret = 0;

	flags |= OWN_LEAF;
	for (uint64_t end = va + pages * DBOS_PAGE_SIZE; !ret && va < end; va += DBOS_PAGE_SIZE)
		ret = set_page(space, va, windows_gpa(&space->dbos->windows, va) | flags);
	return ret;
}

int space_create(struct dbos *dbos, struct space *space)
{
	uint64_t code = __stop_dbos_entry - __start_dbos_entry;
	int ret;

	space->dbos = dbos;
	ret = table_create(&space->table, &dbos->frames, &dbos->cpus);
	if (ret)
		return ret;
	ret = map_own(space, __start_dbos_entry, code / DBOS_PAGE_SIZE, 0);
	if (!ret)
		ret = map_own(space, dbos->idt, DBOS_IDT_SIZE / DBOS_PAGE_SIZE, DBOS_PTE_NX);
	if (ret)
		space_destroy(space);
	return ret;
}

static void retire_table(struct space *space, uint64_t gpa, unsigned int level,
			 uint64_t generation)
{
	const uint64_t *entries = frames_memory(space->table.frames, gpa);

	for (unsigned int i = 0; level > 1 && i < TABLE_ENTRIES; i++) {
		if (entries[i] & DBOS_PTE_P)
			retire_table(space, entries[i] & DBOS_PTE_ADDR, level - 1, generation);
	}
	frames_retire_table(space->table.frames, gpa, level, generation);
}

/* Walks ahead may still come here, by frames that were tables elsewhere before: see frames.h. */
void space_destroy(struct space *space)
{
	uint64_t generation = tlb_flush(space->table.cpus, 0, TLB_ALL_PAGES, TLB_LAZY);

	retire_table(space, space->table.root, TABLE_LEVELS, generation);
}

static bool overlaps(uint64_t va, uint64_t size, const void *with, uint64_t with_size)
{
	uint64_t other = (uint64_t)with;

	return va < other + with_size && other < va + size;
}

/* What ring 0 comes back on, and tables: not for ring 3 by mistake. */
static bool is_own(struct dbos *dbos, uint64_t va, uint64_t size)
{
	uint64_t code = __stop_dbos_entry - __start_dbos_entry;
	uint64_t frames = (uint64_t)dbos->frames.count * FRAME_SIZE;
	bool own = overlaps(va, size, __start_dbos_entry, code) ||
		   overlaps(va, size, dbos->idt, DBOS_IDT_SIZE) ||
		   overlaps(va, size, dbos->frames.memory, frames);

	pthread_mutex_lock(&dbos->lock);
	for (const struct vcpu *vcpu = dbos->vcpus; vcpu; vcpu = vcpu->next)
		own |= overlaps(va, size, vcpu, VCPU_MAPPING_SIZE);
	pthread_mutex_unlock(&dbos->lock);
	return own;
}

/* Their entries are about to change: a vCPU that was there is gone, or is_own() had told. */
static void forget_vcpus(struct space *space, uint64_t va, uint64_t size)
{
	for (unsigned int i = 0; i < CPUS_MAX; i++) {
		if (overlaps(va, size, space->vcpu[i], VCPU_MAPPING_SIZE))
			space->vcpu[i] = NULL;
	}
}

static bool is_range(uint64_t va, uint64_t pages)
{
	return va % DBOS_PAGE_SIZE == 0 && pages && pages < 1ull << 35 &&
	       va + pages * DBOS_PAGE_SIZE > va && va + pages * DBOS_PAGE_SIZE <= 1ull << 47;
}

static int grant_page(struct space *space, uint64_t va, uint64_t flags)
{
	unsigned int level;
	uint64_t entry = table_lookup(&space->dbos->table, va, &level);
	uint64_t offset = va & (level_size(level) - 1);

	if (!(entry & DBOS_PTE_P) || (flags & DBOS_PTE_W && !(entry & DBOS_PTE_W)))
		return -EFAULT;
	entry &= DBOS_PTE_ADDR & ~(level_size(level) - 1);
	return set_page(space, va, (entry + offset) | USER_LEAF | flags);
}

int space_grant(struct space *space, uint64_t va, uint64_t pages, uint64_t flags)
{
	int ret;

	if (!is_range(va, pages) || is_own(space->dbos, va, pages * DBOS_PAGE_SIZE))
		return -EINVAL;
	ret = cover(space->dbos, va, pages * DBOS_PAGE_SIZE);
	forget_vcpus(space, va, pages * DBOS_PAGE_SIZE);
	for (uint64_t i = 0; !ret && i < pages; i++)
		ret = grant_page(space, va + i * DBOS_PAGE_SIZE, flags);
	return ret;
}

/*
 * A vCPU that is in ring 3 now is interrupted for the flush. Whatever it flushes then, it comes
 * back by loading CR3.
 */
int space_revoke(struct space *space, uint64_t va, uint64_t pages)
{
	int ret = 0;

	if (!is_range(va, pages) || is_own(space->dbos, va, pages * DBOS_PAGE_SIZE))
		return -EINVAL;
	forget_vcpus(space, va, pages * DBOS_PAGE_SIZE);
	for (uint64_t i = 0; !ret && i < pages; i++)
		ret = set_page(space, va + i * DBOS_PAGE_SIZE, 0);
	tlb_flush(&space->dbos->cpus, va, pages, TLB_SYNC);
	return ret;
}

/*
 * An earlier vCPU of this number may have had its pages elsewhere; they stay in the table, for ring
 * 0 only. Where memory was granted that is gone, ours take its place.
 */
int space_add_vcpu(struct space *space, struct vcpu *vcpu)
{
	int ret;

	if (space->vcpu[vcpu->number] == vcpu)
		return 0;
	ret = map_own(space, vcpu, VCPU_ENTRY_PAGES, DBOS_PTE_W | DBOS_PTE_NX);
	if (!ret)
		space->vcpu[vcpu->number] = vcpu;
	return ret;
}
