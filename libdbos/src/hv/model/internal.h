/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the model share. */
#ifndef DBOS_MODEL_INTERNAL_H
#define DBOS_MODEL_INTERNAL_H

#include "hv/model/model.h"

#define STORE_BUFFER 8
#define TLB_ENTRIES  32
#define CACHE_ENTRIES 16
#define ADDRESSES    16
#define LONG_SLEEP   2000	/* steps, at most */

struct buffered_store {
	uint64_t *word;
	uint64_t value;
};

struct rights {
	bool write, user, no_execute;
};

/* A translation as it was when it was walked. */
struct tlb_entry {
	uint64_t va, gpa, size;
	struct rights rights;
	bool dirty;		/* the D flag was set: a write needs no walk */
};

/* A PML4E, PDPTE or PDE that names a table (SDM 3A 4.10.3). */
struct cached_table {
	unsigned int level;	/* of the entry: 4, 3, 2 */
	uint64_t prefix;	/* of the addresses it is for */
	uint64_t table;
	struct rights rights;
};

struct model_cpu {
	unsigned int id;
	void *stack, *stack_pointer;
	void (*main)(void *arg);
	void *arg;
	bool done;
	bool in_guest;
	bool irqs_on;
	bool ipi_pending;
	uint64_t asleep_until;	/* the host runs something else in its place */
	uint64_t cr3;
	uint64_t *flush_word, flush_value;	/* of the flush at an entry, until it is made */

	unsigned int stores;	/* oldest first */
	struct buffered_store store[STORE_BUFFER];
	unsigned int translations;
	struct tlb_entry tlb[TLB_ENTRIES];
	unsigned int tables;
	struct cached_table cache[CACHE_ENTRIES];
};

/* How wild this schedule is; drawn from its seed. Each is the n of a chance of 1 in n. */
struct temper {
	uint32_t turn;		/* another vCPU goes on */
	uint32_t drain;		/* a buffered store becomes visible */
	uint32_t evict;		/* a translation is dropped */
	uint32_t prefetch;	/* one is fetched ahead of use */
	uint32_t sleep;		/* a vCPU is not run for long */
	uint32_t ipi;		/* an IPI that is under way arrives */
	uint32_t held_up;	/* who has read what another wrote stops for a while */
};

/*
 * Who wrote a word last. Its place is by the low bits of its address, the same in each process; of
 * words that share one, the last is known.
 */
#define WRITTEN 256

struct written {
	const uint64_t *word;
	const struct model_cpu *by;
};

struct model {
	char *memory;
	size_t memory_size;
	struct model_hooks hooks;
	uint64_t random;
	struct temper temper;
	uint64_t now;
	bool failed;
	char failure[256];

	void *scheduler;	/* its stack pointer while a vCPU runs */
	struct model_cpu *current;
	unsigned int count;
	struct model_cpu *cpu[MODEL_CPUS];	/* in the order of their addition */
	struct model_cpu *by_id[MODEL_CPUS];
	struct model_cpu *spare[MODEL_CPUS];	/* by id, kept from schedule to schedule */

	struct written written[WRITTEN];

	uint64_t flush_code, flush_code_gpa;

	unsigned int addresses;
	uint64_t address[ADDRESSES];	/* used lately: what is worth fetching ahead */
};

extern struct model model;

/* schedule.c */
bool chance(uint32_t one_in);
void step_inside_instruction(void);	/* others may run, but no interrupt is taken */

/* memory.c */
uint64_t buffered_load(const struct model_cpu *cpu, const uint64_t *word);
void drain_stores(struct model_cpu *cpu, unsigned int count);

/* tlb.c */
void tlb_drop_all(struct model_cpu *cpu);
void tlb_flush_at_entry(struct model_cpu *cpu);
void tlb_drop_address(struct model_cpu *cpu, uint64_t va);
void tlb_drop_random(struct model_cpu *cpu);
void tlb_insert(struct model_cpu *cpu, const struct tlb_entry *entry);
const struct tlb_entry *tlb_find(struct model_cpu *cpu, uint64_t va);
void cache_insert(struct model_cpu *cpu, const struct cached_table *table);
const struct cached_table *cache_find(struct model_cpu *cpu, uint64_t va);

/* walk.c */
struct walk {
	uint64_t va;
	uint32_t access;
	bool ahead;		/* nobody asked for it: no D flag, no fault, no steps */
	uint32_t error;		/* of the fault, if it failed */
	struct tlb_entry found;
};
bool walk(struct model_cpu *cpu, struct walk *walk);
bool rights_allow(const struct rights *rights, uint32_t access);
void walk_ahead(struct model_cpu *cpu);		/* for an address that was used lately */
void fetch_flush_code(struct model_cpu *cpu);

/* switch.S */
void model_switch(void **save, void *load);

#endif /* DBOS_MODEL_INTERNAL_H */
