// SPDX-License-Identifier: BSD-2-Clause
/* Flushes, local and remote: see tlb.h for the idea. */
#include "cpu/cpus.h"
#include "hv/machine.h"
#include "cpu/tlb.h"

#define TLB_BUSY (~0ull)

#define PAGE_SIZE 4096

static void flush_range(struct cpu *cpu, uint64_t va, uint64_t pages)
{
	if (pages > TLB_PAGES_MAX) {
		machine_flush();
		cpu->counters.flushes++;
		return;
	}
	for (uint64_t i = 0; i < pages; i++)
		machine_invlpg(va + i * PAGE_SIZE);
	cpu->counters.pages += pages;
}

void tlb_flush_local(struct cpus *cpus, uint64_t va, uint64_t pages)
{
	struct cpu *cpu = cpus_self(cpus);

	if (cpu)
		flush_range(cpu, va, pages);
}

/*
 * Claims the place before writing it: two writers that are TLB_REQUESTS generations apart share
 * it. A note that can't be left is no harm.
 */
static void leave_note(struct tlb *tlb, uint64_t generation, uint64_t va, uint64_t pages)
{
	struct tlb_request *request = &tlb->request[generation % TLB_REQUESTS];
	uint64_t there = machine_load(&request->generation);

	if (there >= generation || !machine_cas(&request->generation, &there, TLB_BUSY))
		return;
	machine_store(&request->va, va);
	machine_store(&request->pages, pages);
	machine_store(&request->generation, generation);
}

/* False: it was never left, or is overwritten. Looks twice, as a writer may be at it. */
static bool read_note(struct tlb *tlb, uint64_t generation, uint64_t *va, uint64_t *pages)
{
	struct tlb_request *request = &tlb->request[generation % TLB_REQUESTS];

	if (machine_load(&request->generation) != generation)
		return false;
	*va = machine_load(&request->va);
	*pages = machine_load(&request->pages);
	return machine_load(&request->generation) == generation;
}

/* One by one while notes and patience last, else everything at once. */
static void flush_generations(struct tlb *tlb, struct cpu *cpu, uint64_t from, uint64_t to)
{
	uint64_t va, pages, sum = 0;

	for (uint64_t generation = from + 1; generation <= to; generation++) {
		if (!read_note(tlb, generation, &va, &pages) || pages > TLB_PAGES_MAX - sum) {
			flush_range(cpu, 0, TLB_ALL_PAGES);
			return;
		}
		flush_range(cpu, va, pages);
		sum += pages;
	}
}

/*
 * The generation is read before the flush and published behind it. Interrupts are off, or a
 * catch-up in an interrupt would be overtaken by the older one it interrupted.
 */
void tlb_catch_up(struct cpus *cpus, struct cpu *cpu)
{
	uint64_t irqs = machine_irqs_off();
	uint64_t from = machine_load(&cpu->flushed);
	uint64_t to = machine_load(&cpus->tlb.generation);

	if (from != to) {
		flush_generations(&cpus->tlb, cpu, from, to);
		machine_store(&cpu->flushed, to);
	}
	machine_irqs_restore(irqs);
}

void tlb_catch_up_at_entry(struct cpus *cpus, struct cpu *cpu)
{
	uint64_t to = machine_load(&cpus->tlb.generation);

	if (machine_load(&cpu->flushed) == to)
		return;
	/* What was unlinked is in use until it has: only then is the generation published. */
	machine_flush_at_entry(cpus_number(cpus, cpu), &cpu->flushed, to);
	cpu->counters.flushes++;
}

/*
 * A vCPU that is outside when we look flushes before it touches guest memory: it says that it is
 * inside before it reads the generation (cpu_inside), and we raised the generation before we
 * looked, each with a barrier in between.
 */
static bool is_behind(const struct cpu *cpu, uint64_t generation)
{
	return machine_load(&cpu->where) != CPU_OUTSIDE && machine_load(&cpu->flushed) < generation;
}

struct wait {
	uint64_t generation;
	enum tlb_roots roots;
	uint64_t root;
};

static bool is_waited_for(const struct cpu *cpu, const struct wait *wait)
{
	bool concerned = wait->roots == TLB_ALL_ROOTS ||
			 (machine_load(&cpu->root) == wait->root) == (wait->roots == TLB_THIS_ROOT);

	return concerned && is_behind(cpu, wait->generation);
}

static void wait_for(struct cpus *cpus, const struct wait *wait)
{
	struct cpu *self = cpus_self(cpus);
	uint64_t limit = machine_load(&cpus->limit);

	if (self)
		tlb_catch_up(cpus, self);
	for (uint64_t i = 0; i < limit; i++) {
		if (&cpus->cpu[i] == self || !is_waited_for(&cpus->cpu[i], wait))
			continue;
		machine_send_ipi(i);
		if (self)
			self->counters.interrupts++;
	}
	for (uint64_t i = 0; i < limit; i++) {
		/* They may wait for us just as we do for them, and our interrupts may be off. */
		while (is_waited_for(&cpus->cpu[i], wait)) {
			if (self)
				tlb_catch_up(cpus, self);
			machine_pause();
		}
	}
}

void tlb_wait(struct cpus *cpus, uint64_t generation)
{
	wait_for(cpus, &(struct wait){ generation, TLB_ALL_ROOTS, 0 });
}

void tlb_wait_root(struct cpus *cpus, uint64_t root, uint64_t generation)
{
	wait_for(cpus, &(struct wait){ generation, TLB_THIS_ROOT, root });
}

void tlb_ask(struct cpus *cpus, uint64_t generation)
{
	uint64_t asked = machine_load(&cpus->tlb.asked);
	uint64_t limit = machine_load(&cpus->limit);

	if (asked >= generation ||
	    !machine_cas(&cpus->tlb.asked, &asked, machine_load(&cpus->tlb.generation)))
		return;
	for (uint64_t i = 0; i < limit; i++) {
		if (&cpus->cpu[i] != cpus_self(cpus) && is_behind(&cpus->cpu[i], generation))
			machine_send_ipi(i);
	}
}

/* A locked operation: whoever sees the generation sees the page table as it is now. */
static uint64_t raise(struct tlb *tlb, uint64_t va, uint64_t pages)
{
	uint64_t generation = machine_add(&tlb->generation, 1) + 1;

	leave_note(tlb, generation, va, pages);
	return generation;
}

uint64_t tlb_flush_roots(struct cpus *cpus, enum tlb_roots roots, uint64_t root, uint64_t va,
			 uint64_t pages)
{
	uint64_t generation = raise(&cpus->tlb, va, pages);

	wait_for(cpus, &(struct wait){ generation, roots, root });
	return generation;
}

/*
 * Named before it is loaded, for the processor remembers some of it at once. What it remembers of
 * the old one is of no use to anybody until then. Who has not seen the name is seen here, by the
 * barrier: or he would wait for us, without having sent an interrupt, once he sees it.
 */
void tlb_load_root(struct cpus *cpus, uint64_t root, uint64_t gpa)
{
	struct cpu *self = cpus_self(cpus);
	uint64_t generation;

	machine_store(&self->root, root);
	machine_fence();
	generation = machine_load(&cpus->tlb.generation);
	machine_load_root(gpa);
	machine_store(&self->flushed, generation);
}

uint64_t tlb_flush(struct cpus *cpus, uint64_t va, uint64_t pages, enum tlb_wait wait)
{
	struct cpu *self = cpus_self(cpus);
	uint64_t generation = raise(&cpus->tlb, va, pages);

	if (wait == TLB_SYNC)
		tlb_wait(cpus, generation);
	else if (self)
		tlb_catch_up(cpus, self);
	return generation;
}

static uint64_t oldest(struct cpus *cpus, bool of_all)
{
	uint64_t oldest = machine_load(&cpus->tlb.generation);
	uint64_t limit = machine_load(&cpus->limit);

	for (uint64_t i = 0; i < limit; i++) {
		const struct cpu *cpu = &cpus->cpu[i];
		uint64_t flushed;

		if (of_all ? !machine_load(&cpu->taken) : machine_load(&cpu->where) == CPU_OUTSIDE)
			continue;
		flushed = machine_load(&cpu->flushed);
		if (flushed < oldest)
			oldest = flushed;
	}
	return oldest;
}

uint64_t tlb_settled(struct cpus *cpus)
{
	return oldest(cpus, false);
}

/* A number that is taken behind our look has a new TLB, which knows nothing that is unlinked. */
uint64_t tlb_flushed(struct cpus *cpus)
{
	return oldest(cpus, true);
}
