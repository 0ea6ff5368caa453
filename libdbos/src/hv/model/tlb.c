// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a vCPU remembers of page tables. It may forget anything at any moment, and remembers
 * anything else until it is told to forget (SDM 3A 4.10.2 to 4.10.4, APM 2 5.5).
 */
#include "hv/machine.h"
#include "hv/model/internal.h"

static void forget_translation(struct model_cpu *cpu, unsigned int i)
{
	cpu->tlb[i] = cpu->tlb[--cpu->translations];
}

static bool covers(const struct tlb_entry *entry, uint64_t va)
{
	return va - entry->va < entry->size;
}

void tlb_drop_all(struct model_cpu *cpu)
{
	cpu->translations = 0;
	cpu->tables = 0;
}

/*
 * INVLPG and page faults: every translation for that page, of whatever size; and INVLPG all
 * paging-structure caches whatever the address (SDM 3A 4.10.4.1; AMD likewise unless EFER.TCE).
 */
void tlb_drop_address(struct model_cpu *cpu, uint64_t va)
{
	for (unsigned int i = cpu->translations; i-- > 0;) {
		if (covers(&cpu->tlb[i], va))
			forget_translation(cpu, i);
	}
	cpu->tables = 0;
}

static void forget_table(struct model_cpu *cpu, unsigned int i)
{
	cpu->cache[i] = cpu->cache[--cpu->tables];
}

void tlb_drop_random(struct model_cpu *cpu)
{
	forget_translation(cpu, model_random(cpu->translations));
	if (cpu->tables && chance(4))
		forget_table(cpu, model_random(cpu->tables));
}

/* Only ever the result of a miss, so there is none of this size for the address yet. */
void tlb_insert(struct model_cpu *cpu, const struct tlb_entry *entry)
{
	if (cpu->translations == TLB_ENTRIES)
		forget_translation(cpu, model_random(TLB_ENTRIES));
	cpu->tlb[cpu->translations++] = *entry;
}

/*
 * After a leaf was split or a table collapsed there may be several translations for an address;
 * the processor may use any of them (SDM 3A 4.10.2.3).
 */
const struct tlb_entry *tlb_find(struct model_cpu *cpu, uint64_t va)
{
	unsigned int found[TLB_ENTRIES], count = 0;

	for (unsigned int i = 0; i < cpu->translations; i++) {
		if (covers(&cpu->tlb[i], va))
			found[count++] = i;
	}
	if (!count)
		return NULL;
	return &cpu->tlb[found[count == 1 ? 0 : model_random(count)]];
}

static uint64_t prefix_of(uint64_t va, unsigned int level)
{
	return va >> (12 + 9 * (level - 1));
}

void cache_insert(struct model_cpu *cpu, const struct cached_table *table)
{
	unsigned int i = cpu->tables;

	if (i < CACHE_ENTRIES)
		cpu->tables++;
	else
		i = model_random(CACHE_ENTRIES);
	cpu->cache[i] = *table;
	cpu->cache[i].prefix = prefix_of(table->prefix, table->level);
}

/* A walk may begin at any of them, or at CR3. */
const struct cached_table *cache_find(struct model_cpu *cpu, uint64_t va)
{
	unsigned int found[CACHE_ENTRIES], count = 0;

	for (unsigned int i = 0; i < cpu->tables; i++) {
		if (cpu->cache[i].prefix == prefix_of(va, cpu->cache[i].level))
			found[count++] = i;
	}
	if (!count || chance(8))
		return NULL;
	return &cpu->cache[found[model_random(count)]];
}

void machine_invlpg(uint64_t va)
{
	struct model_cpu *cpu = model.current;

	model_step();
	drain_stores(cpu, cpu->stores);
	if (!cpu->in_guest)
		model_fail("INVLPG outside of guest mode");
	tlb_drop_address(cpu, va);
}

void machine_flush(void)
{
	struct model_cpu *cpu = model.current;

	model_step();
	drain_stores(cpu, cpu->stores);
	if (!cpu->in_guest)
		model_fail("MOV to CR3 outside of guest mode");
	tlb_drop_all(cpu);
}

/* Of the way into the guest before its flush, or behind a new CR3. */
#define INSTRUCTIONS 4

static void remember_at_once(struct model_cpu *cpu)
{
	for (unsigned int i = 0; i < INSTRUCTIONS; i++) {
		walk_ahead(cpu);
		model_step();
	}
}

/* What is to be done about it before and behind is most easily wrong when it is held up there. */
void machine_load_root(uint64_t gpa)
{
	struct model_cpu *cpu = model.current;

	machine_flush();
	cpu->cr3 = gpa;
	remember_at_once(cpu);
	if (chance(4))
		model_sleep(model_random(LONG_SLEEP));
}

void machine_flush_at_entry(unsigned int id, uint64_t *word, uint64_t value)
{
	struct model_cpu *cpu = model.current;

	model_step();
	if (cpu->id != id || cpu->in_guest)
		model_fail("a flush at the entry of a vCPU that is not the caller's to enter");
	cpu->flush_word = word;
	cpu->flush_value = value;
}

/* In guest mode already, so it may fetch translations that are to be flushed, and use tables. */
void tlb_flush_at_entry(struct model_cpu *cpu)
{
	bool irqs_on = cpu->irqs_on;

	if (!cpu->flush_word)
		return;
	cpu->irqs_on = false;
	fetch_flush_code(cpu);
	remember_at_once(cpu);
	machine_flush();
	machine_store(cpu->flush_word, cpu->flush_value);
	cpu->flush_word = NULL;
	cpu->irqs_on = irqs_on;
}

/* A table there of a level above @level. */
static bool remembers_table(const struct model_cpu *cpu, uint64_t gpa, unsigned int level)
{
	for (unsigned int i = 0; i < cpu->tables; i++) {
		if (cpu->cache[i].table == gpa && cpu->cache[i].level - 1 > level)
			return true;
	}
	return false;
}

static bool reaches(const struct model_cpu *cpu, uint64_t gpa, unsigned int level)
{
	bool at_work = cpu->in_guest && !cpu->flush_word;

	if (cpu->cr3 == gpa)
		return true;
	for (unsigned int i = 0; at_work && i < cpu->translations; i++) {
		if (gpa - cpu->tlb[i].gpa < cpu->tlb[i].size)
			return true;
	}
	return remembers_table(cpu, gpa, at_work ? 0 : level);
}

int model_who_reaches(uint64_t gpa, unsigned int level)
{
	for (unsigned int i = 0; i < model.count; i++) {
		if (reaches(model.cpu[i], gpa, level))
			return model.cpu[i]->id;
	}
	return -1;
}

int model_who_mistakes(uint64_t gpa, unsigned int level)
{
	for (unsigned int i = 0; i < model.count; i++) {
		if (remembers_table(model.cpu[i], gpa, level))
			return model.cpu[i]->id;
	}
	return -1;
}
