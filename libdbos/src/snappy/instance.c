// SPDX-License-Identifier: BSD-2-Clause
/* What a process needs before its first snapshot, and regions that become members. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mm/cover.h"
#include "mm/pgtable.h"
#include "mm/range.h"
#include "mm/region_memory.h"
#include "snappy/instance.h"
#include "snappy/stats.h"

/* Touched in fault handlers, so in a window from the beginning. */
static void *map_covered(struct dbos *dbos, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (cover(dbos, (uint64_t)memory, size)) {
		munmap(memory, size);
		return NULL;
	}
	return memory;
}

/* Pages that one fault makes writable at most: interrupts are off meanwhile. */
#define CALL_PAGES 512

/*
 * A system call that wants to write there is looked up anew after each fault, so that it gets its
 * other pages at once.
 */
static void break_for_call(struct snappy *snappy, struct branch *here, uint64_t va)
{
	struct vcpu *vcpu = dbos_instance()->doorbells[machine_cpu()].vcpu;
	uint64_t end = va + vcpu->refused_length;

	if (vcpu->refused_va != va)
		return;
	vcpu->refused_va = 0;
	va = (va & DBOS_PTE_ADDR) + FRAME_SIZE;
	for (unsigned int i = 1; i < CALL_PAGES && va < end; i++, va += FRAME_SIZE) {
		if (snappy_break(snappy, here, va))
			return;
	}
}

static enum dbos_verdict on_fault(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	struct snappy *snappy = arg;
	struct branch *here = snappy_here(snappy);

	(void)tf;
	if ((fec & (DBOS_FEC_PRESENT | DBOS_FEC_WRITE | DBOS_FEC_HOST)) !=
	    (DBOS_FEC_PRESENT | DBOS_FEC_WRITE))
		return DBOS_NEXT;
	if (snappy_break(snappy, here, va))
		return DBOS_NEXT;
	break_for_call(snappy, here, va);
	return DBOS_HANDLED;
}

/*
 * Memory that the process has mapped since the cut, far from all else: the snapshot's table gets
 * what the process's has for it. There is nothing else that it might not have.
 */
static enum dbos_verdict on_missing(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	struct dbos *dbos = arg;
	struct snappy *snappy = dbos->snappy;
	struct branch *here = snappy ? snappy_here(snappy) : NULL;

	(void)tf;
	if (!here || here == &snappy->own || fec & (DBOS_FEC_PRESENT | DBOS_FEC_HOST))
		return DBOS_NEXT;
	if (cover(dbos, va & DBOS_PTE_ADDR, 1))
		return DBOS_NEXT;
	return snappy_take_entry(snappy, here, va) ? DBOS_HANDLED : DBOS_NEXT;
}

struct snappy *snappy_instance(struct dbos *dbos)
{
	const struct handler missing = {
		.first = 0, .last = UINT64_MAX >> 17, .fault = on_missing, .arg = dbos,
	};
	struct snappy *snappy = dbos->snappy;
	struct life *lives;

	if (snappy)
		return snappy;
	snappy = map_covered(dbos, sizeof(*snappy));
	if (!snappy)
		return NULL;
	lives = map_covered(dbos, dbos->frames.count * sizeof(*lives));
	if (!lives) {
		munmap(snappy, sizeof(*snappy));
		return NULL;
	}
	if (handlers_add(&dbos->handlers.own_faults, &missing)) {
		munmap(lives, dbos->frames.count * sizeof(*lives));
		munmap(snappy, sizeof(*snappy));
		return NULL;
	}
	snappy_init(snappy, &dbos->table, &dbos->inflights, lives);
	__atomic_store_n(&dbos->snappy, snappy, __ATOMIC_RELEASE);
	snappy_export(dbos);
	return snappy;
}

/*
 * Inside, the member's addresses lead to whatever page is there now; its own memory, which may be a
 * snapshot's by then, is read by another address.
 */
static uint64_t alias_entry(const void *arg, uint64_t va, unsigned int level, uint64_t old)
{
	const struct lives_extent *extent = arg;

	(void)old;
	return (extent->gpa + (va - (uint64_t)extent->inside)) | PGTABLE_LEAF | DBOS_PTE_NX |
	       (level > 1 ? DBOS_PTE_PS : 0);
}

static int map_alias(struct dbos *dbos, const struct lives_extent *extent)
{
	uint64_t from = (uint64_t)extent->inside, to = from + extent->count * FRAME_SIZE, done;

	return range_edit(&dbos->table, from, to, 2, alias_entry, extent, &done);
}

/* One window's part of a region. */
static int add_part(struct dbos *dbos, struct snappy *snappy, uint64_t va, uint64_t end,
		    char *alias)
{
	struct lives_extent extent = {
		.gpa = windows_gpa(&dbos->windows, va), .count = (end - va) / FRAME_SIZE,
		.inside = alias, .outside = (char *)va,
	};
	struct handler handler = {
		.first = va, .last = end - 1, .fault = on_fault, .arg = snappy, .copies = true,
	};
	int ret = map_alias(dbos, &extent);

	if (ret)
		return ret;
	extent.life = map_covered(dbos, extent.count * sizeof(struct life));
	if (!extent.life)
		return -ENOMEM;
	ret = snappy_lock(snappy);
	if (!ret) {
		ret = snappy_add_member(snappy, va, &extent);
		snappy_unlock(snappy);
	}
	if (!ret)
		return handlers_add(&dbos->handlers.own_faults, &handler);
	munmap(extent.life, extent.count * sizeof(struct life));
	return ret;
}

static int add_region(struct dbos *dbos, struct snappy *snappy, struct dbos_region *region,
		      char *alias)
{
	uint64_t end = region->base + region->size, va, next;
	int ret = 0;

	for (va = region->base; !ret && va < end; va = next) {
		const struct window *window = windows_find(&dbos->windows, va);

		next = window->va + window->size < end ? window->va + window->size : end;
		ret = add_part(dbos, snappy, va, next, alias + (va - region->base));
	}
	return ret;
}

static int check(const struct snappy *snappy, const struct dbos_region *region)
{
	if (!(region->flags & DBOS_REGION_WRITABLE) || region->flags & DBOS_REGION_BARE ||
	    (region->base | region->size) % SNAPPY_RANGE)
		return -EINVAL;
	if (region->member)
		return -EEXIST;
	return snappy->branches ? -EBUSY : 0;
}

int dbos_snap_add(struct dbos *dbos, struct dbos_region *region)
{
	struct dbos_region *alias;
	struct snappy *snappy;
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	pthread_mutex_lock(&dbos->region_lock);
	snappy = snappy_instance(dbos);
	ret = snappy ? check(snappy, region) : -ENOMEM;
	if (!ret)
		region->member = true;
	pthread_mutex_unlock(&dbos->region_lock);
	if (ret)
		return ret;
	ret = dbos_region_create(dbos, NULL, region->size, region->size, DBOS_REGION_BARE, &alias);
	if (!ret)
		ret = add_region(dbos, snappy, region, (char *)alias->base);
	return ret;
}
