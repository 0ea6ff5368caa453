// SPDX-License-Identifier: BSD-2-Clause
/*
 * T4: a frame is not handed out while any vCPU can still reach it, and none is lost. vCPUs map
 * frames, use each other's, unmap and retire them, and turn tables into leaves and back, so that
 * tables are retired too.
 *
 * A frame that is somebody's is full of his token, and whenever one is handed out, the model is
 * asked who could reach it. In some schedules no processor takes a token for a page-table entry, so
 * that a walk through one is a failure there; in others any does, and an accessed bit in it is one.
 */
#include <errno.h>
#include <string.h>

#include "large.h"
#include "property.h"

#define SLOTS_BASE 0x40000000ull
#define SLOTS	   6
#define POOL	   40
#define CPUS	   4
#define OPERATIONS 16

/* Present, and beyond all memory, or in memory that nobody uses, zero; below it the slot. */
#define FAR_TOKEN  0x000db00000000001ull
#define NEAR_TOKEN (0x800000ull | LEAF)
#define SLOT_SHIFT 12

static struct {
	unsigned int cpus;
	unsigned int id[CPUS];
	bool ranges;		/* are edited, and tables of nothing collapsed */
	bool restless;		/* vCPUs are in the host again and again */
	bool scarce;		/* hardly a frame is free, so what is retired is soon used again */
	unsigned int slots;	/* in use: few are soon all empty */
	unsigned int stay;	/* in the host, in steps */
	uint64_t any_token;
	uint64_t token[POOL_MAX];	/* of its owner; 0: nobody's, a table's or in limbo */
} test;

static uint64_t slot_va(unsigned int slot)
{
	return SLOTS_BASE + slot * DBOS_PAGE_SIZE;
}

static uint64_t token_of(unsigned int slot)
{
	return test.any_token | (uint64_t)slot << SLOT_SHIFT;
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

	for (unsigned int i = 0; i < LOOKED_AT; i++) {
		if (i * 8 != SCRAP && *data_word(gpa + i * 8) != *owner(gpa))
			model_fail("frame %#llx was overwritten", (unsigned long long)gpa);
	}
	if (*data_word(gpa + FRAME_SIZE - 8) != *owner(gpa))
		model_fail("frame %#llx was overwritten", (unsigned long long)gpa);
	if (scrap != *owner(gpa) && scrap != slot)
		model_fail("frame %#llx was written through a slot it is not in",
			   (unsigned long long)gpa);
}

/* Handed out, for a table of @level or for data (0): nobody's, and out of everybody's reach. */
static void take_over(uint64_t gpa, unsigned int level, uint64_t token)
{
	int who = model_who_reaches(gpa, level);

	if (*owner(gpa))
		model_fail("frame %#llx was handed out twice", (unsigned long long)gpa);
	if (who >= 0)
		model_fail("frame %#llx was handed out while vCPU %d can reach it",
			   (unsigned long long)gpa, who);
	*owner(gpa) = token;
	for (unsigned int i = 0; i < FRAME_SIZE; i += 8)
		*data_word(gpa + i) = *owner(gpa);
}

/* One that was not mapped. */
static void give(uint64_t gpa, unsigned int slot)
{
	check_intact(gpa, slot);
	*owner(gpa) = 0;
	frames_free(&frames, gpa);
}

static void no_frame(void)
{
	if (!test.scarce)
		model_fail("no frame of %u is free", POOL);
}

/* The entry's table is for nobody one of a higher level, whose walks would go on to pages. */
static void check_level(const struct table_entry *entry)
{
	uint64_t gpa = ((char *)entry->word - (char *)model_memory()) & ~(FRAME_SIZE - 1ull);
	int who = model_who_mistakes(gpa, 1);

	if (who >= 0)
		model_fail("vCPU %d takes the table at %#llx for one of tables", who,
			   (unsigned long long)gpa);
}

static void map(unsigned int slot)
{
	uint64_t gpa = frames_alloc(&frames);
	struct table_entry entry;

	if (!gpa) {
		no_frame();
		return;
	}
	take_over(gpa, 0, token_of(slot));
	if (table_lock(&table, slot_va(slot), 1, &entry)) {
		no_frame();
		give(gpa, slot);
		return;
	}
	check_level(&entry);
	if (entry.value & DBOS_PTE_P) {
		table_unlock(&entry, entry.value);
		give(gpa, slot);
		return;
	}
	table_unlock(&entry, gpa | LEAF);
}

static void unmap(unsigned int slot)
{
	struct table_entry entry;
	uint64_t gpa, generation;

	if (table_lock(&table, slot_va(slot), 1, &entry)) {
		no_frame();
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
	take_over(gpa, 0, token_of(0));
	work(3);
	give(gpa, 0);
}

static uint64_t take_table(unsigned int level, uint64_t entry)
{
	uint64_t gpa = frames_alloc_table(&frames, level);

	if (gpa)
		take_over(gpa, level, entry);
	return gpa;
}

/* A processor that remembers another table there may have taken it for that, and used entries. */
static void check_table(uint64_t gpa)
{
	for (unsigned int i = 0; i < LOOKED_AT; i++) {
		if ((*data_word(gpa + i * 8) & ~DBOS_PTE_A) != *owner(gpa))
			model_fail("table %#llx was overwritten", (unsigned long long)gpa);
	}
	*owner(gpa) = 0;
}

/* Tables that no CR3 leads to: of leaves, and of such tables, or of larger leaves. */
static void borrow_tables(void *arg)
{
	uint64_t leaves = take_table(1, NEAR_TOKEN), tables = 0, generation;
	unsigned int level = 2 + model_random(2);

	(void)arg;
	if (leaves && model_random(4))
		tables = take_table(level, level == 2 ? leaves | LEAF : LEAF | DBOS_PTE_PS);
	work(3);
	if (tables)
		check_table(tables);
	if (leaves)
		check_table(leaves);
	if (!tables) {
		if (leaves)
			frames_free(&frames, leaves);
		return;
	}
	generation = tlb_flush(&cpus, 0, TLB_ALL_PAGES, TLB_LAZY);
	frames_retire_table(&frames, tables, level, generation);
	frames_retire_table(&frames, leaves, 1, generation);
}

static int collapse_at(uint64_t base, unsigned int level)
{
	int ret = table_collapse(&table, base, level, model_random(2) ? TLB_SYNC : TLB_LAZY);

	if (ret && ret != -EBUSY && ret != -EINVAL)
		model_fail("collapse: error %d", -ret);
	return ret;
}

/* The slots' table, if there happens to be none, and then that of their tables. */
static void collapse_slots(void *arg)
{
	(void)arg;
	if (collapse_at(SLOTS_BASE, 2) == 0)
		collapse_at(SLOTS_BASE, 3);
}

static void ask(unsigned int id, void (*what)(void *arg))
{
	unsigned int to = test.id[model_random(test.cpus)];

	if (to != id)
		calls_send(&cpus, to, what, NULL, CALL_TRY);
}

/* Two may be at it at once. */
static void collapse(unsigned int id)
{
	if (!test.ranges || model_random(3) == 0) {
		collapse_at(LARGE_BASE, 2);
		return;
	}
	if (model_random(2))
		ask(id, collapse_slots);
	collapse_slots(NULL);
}

static void operate(unsigned int id)
{
	unsigned int slot = model_random(test.slots);

	if (test.restless && model_random(3) == 0)
		host_call(id, test.stay);
	switch (model_random(test.ranges ? 21 : 18)) {
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
		large_look();
		break;
	case 12:
		large_split();
		break;
	case 13:
		if (test.ranges || !model_random(4))
			collapse(id);
		break;
	case 14:
		host_call(id, test.stay);
		break;
	case 15:
		cpu_serve(&cpus, &cpus.cpu[id]);
		break;
	case 16:
		large_write();
		break;
	case 17:
		ask(id, model_random(2) ? borrow : borrow_tables);
		break;
	case 18:
		large_edit();
		break;
	case 19: case 20:
		collapse(id);
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

/* For good, until only so many are left. */
static void hoard(unsigned int left)
{
	unsigned int free = POOL - count_tables(table.root, TABLE_LEVELS);

	for (; free > left; free--)
		*owner(frames_alloc(&frames)) = test.any_token;
}

static void begin(uint64_t seed)
{
	unsigned int kind;

	memset(&test, 0, sizeof(test));
	fixture_begin(seed, 16, POOL, fault);
	test.any_token = model_random(2) ? FAR_TOKEN : NEAR_TOKEN;
	test.scarce = model_random(2);
	large_begin(test.any_token, test.scarce);
	if (test.scarce)
		hoard(4 + model_random(12));
	test.stay = model_random(2) ? 30 : 1000;
	test.cpus = 2 + model_random(CPUS - 1);
	/* They hold entries for long, and so keep others apart: not in each schedule. */
	kind = model_random(3);
	test.ranges = kind == 1;
	test.restless = kind == 2;
	test.slots = 1 + model_random(test.ranges ? 2 : SLOTS);
	for (unsigned int i = 0; i < test.cpus; i++) {
		test.id[i] = i * 4 + model_random(4);
		fixture_add_cpu(test.id[i], run_cpu, &test.id[i]);
	}
}

/* All have left: what is not in use can be had. */
static void end(void)
{
	unsigned int used = count_tables(table.root, TABLE_LEVELS);
	unsigned int free = 0;

	large_check();
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
