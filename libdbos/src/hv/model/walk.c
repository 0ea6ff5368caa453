// SPDX-License-Identifier: BSD-2-Clause
/* The page walk (SDM 3A 4.5, APM 2 5.3), and accesses of the guest through TLB and walk. */
#include <dbos/mm.h>

#include "hv/model/internal.h"

static uint64_t level_size(unsigned int level)
{
	return 1ull << (12 + 9 * (level - 1));
}

/* The entry's word in memory. Tables are where the program put them, so outside is its fault. */
static uint64_t *entry_word(uint64_t table, uint64_t va, unsigned int level)
{
	uint64_t gpa = table + (va / level_size(level) & 511) * 8;

	if (gpa >= model.memory_size)
		model_fail("a page table at %#llx, where no memory is", (unsigned long long)table);
	return (uint64_t *)(model.memory + gpa);
}

/* Bits that must be zero: PS where there are no leaves, a leaf's address below its size. */
static void check_reserved(uint64_t entry, unsigned int level, uint64_t va)
{
	uint64_t reserved = 0;

	if (level == 4)
		reserved = DBOS_PTE_PS;
	else if (level > 1 && entry & DBOS_PTE_PS)
		reserved = DBOS_PTE_ADDR & (level_size(level) - 1);
	if (entry & reserved || (entry & DBOS_PTE_ADDR) >= model.memory_size)
		model_fail("%#llx was walked as an entry of level %u for %#llx: it is none",
			   (unsigned long long)entry, level, (unsigned long long)va);
}

bool rights_allow(const struct rights *rights, uint32_t access)
{
	return !((access & MODEL_WRITE && !rights->write) ||
		 (access & MODEL_USER && !rights->user) ||
		 (access & MODEL_FETCH && rights->no_execute));
}

static void add_rights(struct rights *rights, uint64_t entry)
{
	rights->write = rights->write && entry & DBOS_PTE_W;
	rights->user = rights->user && entry & DBOS_PTE_U;
	rights->no_execute = rights->no_execute || entry & DBOS_PTE_NX;
}

/* Sets A and D by a locked operation. False: the entry is another by now; walk again. */
static bool set_flags(struct model_cpu *cpu, uint64_t *word, uint64_t *entry, uint64_t flags)
{
	if ((*entry & flags) == flags)
		return true;
	drain_stores(cpu, cpu->stores);
	if (*word != *entry)
		return false;
	*word = *entry |= flags;
	return true;
}

/* Leaves of any size are remembered as such, or in smaller pieces (SDM 3A 4.10.2.3). */
static void remember_leaf(struct model_cpu *cpu, struct walk *walk, uint64_t entry,
			  const struct rights *rights, unsigned int level)
{
	uint64_t size = level_size(level);
	uint64_t offset;

	if (level > 1 && chance(2))
		size = level_size(1);
	offset = walk->va & (level_size(level) - 1) & ~(size - 1);
	walk->found = (struct tlb_entry){
		.va = walk->va & ~(size - 1),
		.gpa = (entry & DBOS_PTE_ADDR) + offset,
		.size = size,
		.rights = *rights,
		.dirty = entry & DBOS_PTE_D,
	};
	tlb_insert(cpu, &walk->found);
}

enum outcome { WALKED, FAULTED, AGAIN };

static enum outcome finish(struct model_cpu *cpu, struct walk *walk, uint64_t *word,
			   uint64_t entry, const struct rights *rights, unsigned int level)
{
	uint64_t flags = DBOS_PTE_A;

	if (!walk->ahead && !rights_allow(rights, walk->access)) {
		walk->error = walk->access | MODEL_PRESENT;
		return FAULTED;
	}
	if (walk->access & MODEL_WRITE)
		flags |= DBOS_PTE_D;
	if (!set_flags(cpu, word, &entry, flags))
		return AGAIN;
	remember_leaf(cpu, walk, entry, rights, level);
	return WALKED;
}

static enum outcome walk_once(struct model_cpu *cpu, struct walk *walk)
{
	const struct cached_table *cached = cache_find(cpu, walk->va);
	struct rights rights = cached ? cached->rights : (struct rights){ true, true, false };
	unsigned int level = cached ? cached->level - 1 : 4;
	uint64_t table = cached ? cached->table : cpu->cr3;

	for (;; level--) {
		uint64_t *word = entry_word(table, walk->va, level);
		uint64_t entry;

		/* The tables may change below the walk, but it is one instruction. */
		if (!walk->ahead)
			step_inside_instruction();
		entry = buffered_load(cpu, word);
		if (!(entry & DBOS_PTE_P)) {
			walk->error = walk->access;
			return FAULTED;
		}
		check_reserved(entry, level, walk->va);
		add_rights(&rights, entry);
		if (level == 1 || entry & DBOS_PTE_PS)
			return finish(cpu, walk, word, entry, &rights, level);
		if (!set_flags(cpu, word, &entry, DBOS_PTE_A))
			return AGAIN;
		table = entry & DBOS_PTE_ADDR;
		cache_insert(cpu, &(struct cached_table){ level, walk->va, table, rights });
	}
}

bool walk(struct model_cpu *cpu, struct walk *walk)
{
	enum outcome outcome;

	do {
		outcome = walk_once(cpu, walk);
	} while (outcome == AGAIN && !model.failed);
	return outcome == WALKED;
}

void model_prefetch(unsigned int id, uint64_t va)
{
	struct walk ahead = { .va = va, .ahead = true };

	if (!tlb_find(model.by_id[id], va))
		walk(model.by_id[id], &ahead);
}

void walk_ahead(struct model_cpu *cpu)
{
	if (model.addresses)
		model_prefetch(cpu->id, model.address[model_random(model.addresses)]);
}

static void note_address(uint64_t va)
{
	for (unsigned int i = 0; i < model.addresses; i++) {
		if (model.address[i] == va)
			return;
	}
	if (model.addresses < ADDRESSES)
		model.address[model.addresses++] = va;
}

/*
 * The translation that this access goes by. A translation whose rights do not suffice faults, also
 * where the entry in memory has long allowed more, or is walked anew: processors do both.
 */
static bool translate(struct model_cpu *cpu, struct walk *access, uint64_t *gpa)
{
	const struct tlb_entry *entry = tlb_find(cpu, access->va);

	if (entry && !rights_allow(&entry->rights, access->access)) {
		access->error = access->access | MODEL_PRESENT;
		tlb_drop_address(cpu, access->va);
		if (chance(2))
			return false;
		entry = NULL;
	}
	if (entry && (!(access->access & MODEL_WRITE) || entry->dirty)) {
		*gpa = entry->gpa + (access->va - entry->va);
		return true;
	}
	if (entry)
		tlb_drop_address(cpu, access->va);
	if (!walk(cpu, access)) {
		tlb_drop_address(cpu, access->va);
		return false;
	}
	*gpa = access->found.gpa + (access->va - access->found.va);
	return true;
}

void fetch_flush_code(struct model_cpu *cpu)
{
	struct walk fetch = { .va = model.flush_code, .access = MODEL_FETCH };
	uint64_t gpa = 0;

	if (model.flush_code && (!translate(cpu, &fetch, &gpa) || gpa != model.flush_code_gpa))
		model_fail("vCPU %u enters, and finds %#llx in place of the code of its flush",
			   cpu->id, (unsigned long long)gpa);
}

/* The word behind @va; NULL: the access faulted, and no handler mended it. */
static uint64_t *reach(uint64_t va, uint32_t access)
{
	struct model_cpu *cpu = model.current;
	uint64_t gpa;

	note_address(va);
	for (;;) {
		struct walk attempt = { .va = va, .access = access };
		bool was = cpu->irqs_on, again;

		model_step();
		if (!cpu->in_guest)
			model_fail("vCPU %u touches %#llx from the host", cpu->id,
				   (unsigned long long)va);
		if (cpu->flush_word)
			model_fail("vCPU %u touches %#llx before its flush", cpu->id,
				   (unsigned long long)va);
		if (translate(cpu, &attempt, &gpa)) {
			if (gpa >= model.memory_size)
				model_fail("%#llx translates to %#llx, where no memory is",
					   (unsigned long long)va, (unsigned long long)gpa);
			/* Translated, but not there yet. */
			step_inside_instruction();
			return (uint64_t *)(model.memory + gpa);
		}
		if (!model.hooks.fault)
			return NULL;
		cpu->irqs_on = false;
		again = model.hooks.fault(va, attempt.error);
		cpu->irqs_on = was;
		if (!again)
			return NULL;
	}
}

bool model_read(uint64_t va, uint32_t access, uint64_t *value)
{
	uint64_t *word = reach(va, access);

	if (word)
		*value = buffered_load(model.current, word);
	return word != NULL;
}

bool model_write(uint64_t va, uint32_t access, uint64_t value)
{
	struct model_cpu *cpu = model.current;
	uint64_t *word = reach(va, access | MODEL_WRITE);

	if (!word)
		return false;
	if (cpu->stores == STORE_BUFFER)
		drain_stores(cpu, 1);
	cpu->store[cpu->stores++] = (struct buffered_store){ word, value };
	return true;
}
