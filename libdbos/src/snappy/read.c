// SPDX-License-Identifier: BSD-2-Clause
/*
 * Looking into branches from anywhere. Frames end by releases only, which the caller keeps away, so
 * what an entry leads to is there for as long as he looks.
 */
#include <errno.h>
#include <string.h>

#include "snappy/engine.h"

static uint64_t entry_at(struct snappy *snappy, const struct branch *branch, uint64_t va)
{
	uint64_t *word = snappy_pde(snappy, branch, va);
	uint64_t entry = word ? machine_load(word) : 0;
	uint64_t *entries;

	if (!(entry & DBOS_PTE_P))
		return 0;
	if (!entry_is_table(entry))
		return entry + va % SNAPPY_RANGE / FRAME_SIZE * FRAME_SIZE;
	entries = frames_memory(snappy->pool, entry & DBOS_PTE_ADDR);
	return machine_load(&entries[va / FRAME_SIZE % TABLE_ENTRIES]);
}

int snappy_read(struct snappy *snappy, struct branch *branch, uint64_t va, void *to,
		uint64_t length)
{
	char *out = to;

	while (length) {
		uint64_t offset = va % FRAME_SIZE, part = FRAME_SIZE - offset, entry = 0;

		if (snappy_is_member(snappy, va))
			entry = entry_at(snappy, branch, va);
		if (!(entry & DBOS_PTE_P))
			return -EFAULT;
		if (part > length)
			part = length;
		memcpy(out, (char *)life_memory(&snappy->lives, entry & DBOS_PTE_ADDR) + offset,
		       part);
		out += part;
		va += part;
		length -= part;
	}
	return 0;
}

int snappy_each_page(struct snappy *snappy, const struct branch *branch,
		     int (*page)(void *arg, uint64_t va, uint64_t gpa), void *arg)
{
	int ret = 0;

	for (uint64_t i = 0; !ret && i < snappy->member_count; i++) {
		const struct member *member = &snappy->member[i];

		for (uint64_t va = member->va; !ret && va < member->end; va += FRAME_SIZE) {
			uint64_t entry = entry_at(snappy, branch, va);

			if (entry & DBOS_PTE_P)
				ret = page(arg, va, entry & DBOS_PTE_ADDR);
		}
	}
	return ret;
}

/* Pages that differ, as far as they follow one another. */
struct difference {
	uint64_t va, end;
	int (*found)(void *arg, uint64_t va, uint64_t length);
	void *arg;
};

static int report(struct difference *difference)
{
	int ret = 0;

	if (difference->end != difference->va)
		ret = difference->found(difference->arg, difference->va,
					difference->end - difference->va);
	difference->va = difference->end = 0;
	return ret;
}

static int add(struct difference *difference, uint64_t va)
{
	int ret = 0;

	if (difference->end != va) {
		ret = report(difference);
		difference->va = va;
	}
	difference->end = va + FRAME_SIZE;
	return ret;
}

/*
 * [va, end), of one member. What both lead to by one entry is the same; a table too, for nobody
 * writes one that is shared.
 */
static int diff_pages(struct snappy *snappy, struct branch *a, struct branch *b, uint64_t va,
		      uint64_t end, struct difference *difference)
{
	uint64_t of_a = machine_load(snappy_pde(snappy, a, va));
	uint64_t of_b = machine_load(snappy_pde(snappy, b, va));
	int ret = 0;

	if (!((of_a ^ of_b) & (DBOS_PTE_ADDR | DBOS_PTE_P)))
		return 0;
	for (; !ret && va < end; va += FRAME_SIZE) {
		of_a = entry_at(snappy, a, va);
		of_b = entry_at(snappy, b, va);
		if ((of_a ^ of_b) & (DBOS_PTE_ADDR | DBOS_PTE_P))
			ret = add(difference, va);
	}
	return ret;
}

int snappy_diff(struct snappy *snappy, struct branch *a, struct branch *b,
		int (*found)(void *arg, uint64_t va, uint64_t length), void *arg)
{
	struct difference difference = { .found = found, .arg = arg };
	int ret = 0;

	for (uint64_t i = 0; !ret && i < snappy->member_count; i++) {
		const struct member *member = &snappy->member[i];
		uint64_t next;

		for (uint64_t va = member->va; !ret && va < member->end; va = next) {
			next = (va | (SNAPPY_RANGE - 1)) + 1;
			if (next > member->end)
				next = member->end;
			ret = diff_pages(snappy, a, b, va, next, &difference);
		}
	}
	return ret ? ret : report(&difference);
}
