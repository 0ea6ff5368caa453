// SPDX-License-Identifier: BSD-2-Clause
/*
 * T4: a frame is not handed out while any vCPU can still reach it, and none is lost. vCPUs map
 * frames, use each other's, unmap and retire them, and turn tables into leaves and back, so that
 * tables are retired too.
 *
 * A frame that is somebody's is full of his token, which no processor takes for a page-table
 * entry; and whenever one is handed out, the model is asked who could reach it.
 */
#include <errno.h>
#include <string.h>

#include "mm/range.h"
#include "property.h"

#define SLOTS_BASE 0x40000000ull
#define LARGE_BASE 0x80000000ull	/* 2 MiB of DATA_GPA, as a leaf or as 512 */
#define LARGE_PAGES 3
#define SLOTS	   6
#define POOL	   40
#define CPUS	   4
#define OPERATIONS 16

/* Present, and beyond all memory; below it the slot. */
#define TOKEN	   0x000db00000000001ull
#define SLOT_SHIFT 12

/* The word of a frame that is not its token: what users of the slot write. */
#define SCRAP 8

static struct {
	unsigned int cpus;
	unsigned int id[CPUS];
	bool ranges;		/* are edited, and tables of nothing collapsed */
	bool restless;		/* vCPUs are in the host again and again */
	uint64_t token[POOL_MAX];	/* of its owner; 0: nobody's, a table's or in limbo */
} test;

static uint64_t slot_va(unsigned int slot)
{
	return SLOTS_BASE + slot * DBOS_PAGE_SIZE;
}

static uint64_t token_of(unsigned int slot)
{
	return TOKEN | (uint64_t)slot << SLOT_SHIFT;
}

static uint64_t *owner(uint64_t gpa)
{
	return &test.token[(gpa - POOL_GPA) / FRAME_SIZE];
}

static bool fault(uint64_t va, uint32_t error)
{
	(void)va, (void)error;
	return false;
}

static void check_intact(uint64_t gpa, unsigned int slot)
{
	uint64_t scrap = *data_word(gpa + SCRAP);

	if (*data_word(gpa) != *owner(gpa) || *data_word(gpa + FRAME_SIZE - 8) != *owner(gpa))
		model_fail("frame %#llx was overwritten", (unsigned long long)gpa);
	if (scrap != *owner(gpa) && scrap != slot)
		model_fail("frame %#llx was written through a slot it is not in",
			   (unsigned long long)gpa);
}

/* Handed out: nobody's, and out of everybody's reach. Then it is @slot's. */
static void take_over(uint64_t gpa, unsigned int slot)
{
	int who = model_who_reaches(gpa);

	if (*owner(gpa))
		model_fail("frame %#llx was handed out twice", (unsigned long long)gpa);
	if (who >= 0)
		model_fail("frame %#llx was handed out while vCPU %d can reach it",
			   (unsigned long long)gpa, who);
	*owner(gpa) = token_of(slot);
	for (unsigned int i = 0; i < FRAME_SIZE; i += 8)
		*data_word(gpa + i) = *owner(gpa);
}

static void map(unsigned int slot)
{
	uint64_t gpa = frames_alloc(&frames);
	struct table_entry entry;

	if (!gpa) {
		model_fail("no frame of %u is free", POOL);
		return;
	}
	take_over(gpa, slot);
	if (table_lock(&table, slot_va(slot), 1, &entry)) {
		model_fail("no frame for a table");
		return;
	}
	if (entry.value & DBOS_PTE_P) {
		table_unlock(&entry, entry.value);
		check_intact(gpa, slot);
		*owner(gpa) = 0;
		frames_free(&frames, gpa);
		return;
	}
	table_unlock(&entry, gpa | LEAF);
}

static void unmap(unsigned int slot)
{
	struct table_entry entry;
	uint64_t gpa, generation;

	if (table_lock(&table, slot_va(slot), 1, &entry)) {
		model_fail("no frame for a table");
		return;
	}
	gpa = entry.value & DBOS_PTE_ADDR;
	if (!(entry.value & DBOS_PTE_P)) {
		table_unlock(&entry, 0);
		return;
	}
	if (model_random(2)) {
		table_unlock(&entry, 0);
		generation = tlb_flush(&cpus, slot_va(slot), 1, model_random(4) == 0);
	} else {
		/* With the entry locked, as one would to write the page out. */
		machine_store(entry.word, DBOS_PTE_LOCK);
		generation = tlb_flush(&cpus, slot_va(slot), 1, TLB_SYNC);
		table_unlock(&entry, 0);
	}
	check_intact(gpa, slot);
	*owner(gpa) = 0;
	frames_retire(&frames, gpa, generation);
}

static void use(unsigned int slot)
{
	uint64_t value = token_of(slot);

	if (model_random(2))
		model_write(slot_va(slot) + SCRAP, 0, slot);
	else if (model_read(slot_va(slot), 0, &value) && value != token_of(slot))
		model_fail("slot %u shows %#llx", slot, (unsigned long long)value);
}

/* In an interrupt, on whatever the vCPU is doing with frames. */
static void borrow(void *arg)
{
	uint64_t gpa = frames_alloc(&frames);

	(void)arg;
	if (!gpa)
		return;
	take_over(gpa, 0);
	work(3);
	check_intact(gpa, 0);
	*owner(gpa) = 0;
	frames_free(&frames, gpa);
}

static void make_borrow(unsigned int id)
{
	unsigned int to = test.id[model_random(test.cpus)];

	if (to != id)
		calls_send(&cpus, to, borrow, NULL, CALL_TRY);
}

static uint64_t large_va(uint64_t page)
{
	return LARGE_BASE + page * DBOS_PAGE_SIZE;
}

/* Whatever the leaves' size: the translation stays the same. */
static void look_at_large(void)
{
	uint64_t page = model_random(LARGE_PAGES), value = 0;
	unsigned int level;
	uint64_t leaf = table_lookup(&table, large_va(page), &level);
	uint64_t gpa = (leaf & DBOS_PTE_ADDR) + (level == 2 ? page * DBOS_PAGE_SIZE : 0);

	if (level > 2 || gpa != DATA_GPA + page * DBOS_PAGE_SIZE)
		model_fail("the walker found %#llx at level %u", (unsigned long long)leaf, level);
	if (!model_read(large_va(page), 0, &value) || value != page)
		model_fail("page %llu of the large leaf shows %#llx", (unsigned long long)page,
			   (unsigned long long)value);
}

static void write_large(void)
{
	if (!model_write(large_va(model_random(LARGE_PAGES)) + SCRAP, 0, 1))
		model_fail("a write to the large leaf faulted");
}

static void split(void)
{
	struct table_entry entry;
	int ret = table_lock(&table, large_va(model_random(LARGE_PAGES)), 1, &entry);

	if (ret) {
		model_fail("no frame for a table");
		return;
	}
	work(5);
	table_unlock(&entry, entry.value);
}

/* Of the large leaf's pages, or of the slots, if there happens to be none. */
static void collapse(void)
{
	uint64_t base = test.ranges && model_random(3) == 0 ? SLOTS_BASE : LARGE_BASE;
	int ret = table_collapse(&table, base, 2, model_random(2) ? TLB_SYNC : TLB_LAZY);

	if (ret && ret != -EBUSY && ret != -EINVAL)
		model_fail("collapse: error %d", -ret);
}

static uint64_t keep(const void *arg, uint64_t va, unsigned int level, uint64_t old)
{
	uint64_t value = DATA_GPA + (va - LARGE_BASE);

	(void)arg;
	if (level > 2 || (old & DBOS_PTE_ADDR) != value)
		model_fail("the range's leaf of level %u at %#llx is %#llx", level,
			   (unsigned long long)va, (unsigned long long)old);
	return old;
}

/* As regions are: each leaf once, whatever its size is by then. */
static void edit_large(void)
{
	uint64_t first = model_random(2), done;

	if (range_edit(&table, large_va(first), large_va(first + 4), 2, keep, NULL, &done))
		model_fail("no frame for a table");
	else if (done != large_va(first + 4))
		model_fail("the range ends at %#llx", (unsigned long long)done);
}

static void operate(unsigned int id)
{
	unsigned int slot = model_random(SLOTS);

	if (test.restless && model_random(3) == 0)
		host_call(id, 30);
	switch (model_random(test.ranges ? 19 : 18)) {
	case 0 ... 3:
		map(slot);
		break;
	case 4 ... 6:
		unmap(slot);
		break;
	case 7 ... 10:
		use(slot);
		break;
	case 11:
		look_at_large();
		break;
	case 12:
		split();
		break;
	case 13:
		if (!model_random(4))
			collapse();
		break;
	case 14:
		host_call(id, 30);
		break;
	case 15:
		cpu_serve(&cpus, &cpus.cpu[id]);
		break;
	case 16:
		write_large();
		break;
	case 17:
		make_borrow(id);
		break;
	case 18:
		edit_large();
	}
}

static void run_cpu(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	for (unsigned int i = 0; i < OPERATIONS; i++)
		operate(id);
	guest_exit(id);
}

static void begin(uint64_t seed)
{
	unsigned int kind;

	memset(&test, 0, sizeof(test));
	fixture_begin(seed, 16, POOL, fault);
	map_at_first(LARGE_BASE, 2, DATA_GPA | LEAF | DBOS_PTE_PS);
	for (unsigned int page = 0; page < LARGE_PAGES; page++)
		*data_word(DATA_GPA + page * DBOS_PAGE_SIZE) = page;
	test.cpus = 2 + model_random(CPUS - 1);
	/* They hold entries for long, and so keep others apart: not in each schedule. */
	kind = model_random(3);
	test.ranges = kind == 1;
	test.restless = kind == 2;
	for (unsigned int i = 0; i < test.cpus; i++) {
		test.id[i] = i * 4 + model_random(4);
		fixture_add_cpu(test.id[i], run_cpu, &test.id[i]);
	}
}

static unsigned int count_tables(uint64_t gpa, unsigned int level)
{
	unsigned int count = 1;

	for (unsigned int i = 0; level > 1 && i < TABLE_ENTRIES; i++) {
		uint64_t entry = *data_word(gpa + i * 8);

		if (entry & DBOS_PTE_P && !(entry & DBOS_PTE_PS))
			count += count_tables(entry & DBOS_PTE_ADDR, level - 1);
	}
	return count;
}

/* Nobody ever cleans an entry there, so a written page has the D flag. */
static void check_dirty(void)
{
	unsigned int level;

	for (unsigned int page = 0; page < LARGE_PAGES; page++) {
		if (*data_word(DATA_GPA + page * DBOS_PAGE_SIZE + SCRAP) &&
		    !(table_lookup(&table, large_va(page), &level) & DBOS_PTE_D))
			model_fail("page %u was written, but is not dirty", page);
	}
}

/* All have left: what is not in use can be had. */
static void end(void)
{
	unsigned int used = count_tables(table.root, TABLE_LEVELS);
	unsigned int free = 0;

	check_dirty();
	for (unsigned int i = 0; i < POOL; i++)
		used += test.token[i] != 0;
	while (free < POOL && frames_alloc(&frames))
		free++;
	if (used + free != POOL)
		model_fail("of %u frames %u are in use and %u are free", POOL, used, free);
}

const struct property reuse_property = {
	.name = "T4",
	.what = "a frame is handed out when nobody can reach it, and none is lost",
	.begin = begin,
	.end = end,
};
