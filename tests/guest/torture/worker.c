// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest: it owns every WORKERS-th page, so it knows what it wrote there last, and from the
 * region's counts of drops what may have become of it:
 *
 *	a drop began after the write and ended before the read	all zero, or the read was stale
 *	a drop overlapped with either, or MADV_FREE came after	each word as written, or zero
 *	neither							all as written
 *
 * Memory that is closed at the moment faults; the guest's handler counts that and tries again.
 */
#include <unistd.h>

#include <dbos/dbos.h>

#include "../check.h"
#include "torture.h"

static uint64_t pattern(const struct region *region, size_t page, uint64_t version)
{
	if (version == 0)
		return 0;
	/* Equal pages, for the host to merge. */
	if (region->kind == MERGED)
		return 0x4d454d4f00000000ull + version % 2;
	return ((uint64_t)(region->kind + 1) << 56) + ((uint64_t)page << 40) + version;
}

static void write_page(struct region *region, size_t page)
{
	struct page_record *record = &region->record[page];
	uint64_t value;

	record->drops_before = region->drops_done;
	record->frees_before = region->frees_done;
	__sync_synchronize();
	record->version++;
	value = pattern(region, page, record->version);
	for (unsigned int i = 0; i < WORDS; i++)
		*word_of(region->base, page, i) = value;
	__sync_synchronize();
	record->drops_until = region->drops_begun;
}

/* True if the page has been dropped. */
static bool read_page(struct region *region, size_t page)
{
	const struct page_record *record = &region->record[page];
	uint64_t expected = pattern(region, page, record->version);
	bool must_be_zero, may_be_zero;
	uint64_t word[WORDS];

	must_be_zero = region->drops_done > record->drops_until;
	__sync_synchronize();
	for (unsigned int i = 0; i < WORDS; i++)
		word[i] = *word_of(region->base, page, i);
	__sync_synchronize();
	may_be_zero = region->drops_begun > record->drops_before ||
		      region->frees_begun > record->frees_before;
	for (unsigned int i = 0; i < WORDS; i++) {
		check(word[i] != POISON, "stale read: poison in region %d, page %zu", region->kind,
		      page);
		check(word[i] == 0 || word[i] == expected,
		      "region %d, page %zu, word %u: %#lx, not %#lx", region->kind, page, i,
		      word[i], expected);
		check(word[i] == expected || may_be_zero || must_be_zero,
		      "lost write: region %d, page %zu, word %u", region->kind, page, i);
		check(word[i] == 0 || !must_be_zero, "stale read: region %d, page %zu is dropped",
		      region->kind, page);
	}
	return word[0] == 0 && expected != 0;
}

static enum dbos_verdict wait_for_memory(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	struct torture *torture = arg;

	(void)fec;
	(void)tf;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		const struct region *region = &torture->region[kind];

		if (va - (uintptr_t)region->base < region->size) {
			usleep(200);
			return DBOS_HANDLED;
		}
	}
	return DBOS_NEXT;
}

static void step(struct worker *worker)
{
	uint64_t random = next_random(&worker->random);
	struct region *region = &worker->torture->region[random % KINDS];
	size_t page = (random >> 8) % (region->size / PAGE / WORKERS) * WORKERS + worker->id;
	/* Pages that change all the time are never merged. */
	unsigned int one_in = region->kind == MERGED ? 64 : 2;

	if ((random >> 40) % one_in == 0) {
		write_page(region, page);
		worker->writes++;
	} else {
		worker->zeroes += read_page(region, page);
		worker->reads++;
	}
}

void *worker_run(void *arg)
{
	struct worker *worker = arg;

	check_ok(dbos_on_fault(dbos_instance(), 0, UINTPTR_MAX, wait_for_memory, worker->torture));
	check_ok(dbos_enter());
	__atomic_fetch_add(&worker->torture->entered, 1, __ATOMIC_RELEASE);
	while (!worker->torture->stop)
		step(worker);
	check_ok(dbos_leave());
	return NULL;
}
