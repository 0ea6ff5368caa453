/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A model of the hardware: virtual CPUs, each with a store buffer, a TLB and paging-structure
 * caches, over one physical memory. It runs natively, one step of one vCPU at a time, and each
 * choice that the architecture leaves open is drawn from a seed: who runs, when a store becomes
 * visible, which translation is kept or dropped or fetched ahead of use, when an IPI arrives. So a
 * seed is a schedule, and the same seed is the same schedule.
 *
 * What it may do is what the manuals allow (SDM 3A 4.10 and 8.2, APM 2 5.5 and 7.2), the worst of
 * it included: a translation that nobody invalidated is kept for as long as the seed likes, and a
 * paging-structure cache leads into a table that nothing points to any more.
 *
 * There is one model in a process, as the functions of hv/machine.h name none.
 */
#ifndef DBOS_MODEL_H
#define DBOS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_CPUS 128

/* What an access wants, and the error code of its fault (SDM 3A 4.7). */
#define MODEL_PRESENT (1u << 0)
#define MODEL_WRITE   (1u << 1)
#define MODEL_USER    (1u << 2)
#define MODEL_FETCH   (1u << 4)

struct model_hooks {
	/* The interrupt and the page-fault handler: run on the vCPU, interrupts off. */
	void (*interrupt)(void);
	/* True: try the access again. False, or NULL: the access returns false. */
	bool (*fault)(uint64_t va, uint32_t error);
	uint64_t step_limit;		/* a schedule that takes more is a hang */
};

/* Makes the model, with @memory bytes of physical memory, all zero. False: out of memory. */
bool model_create(size_t memory);
void *model_memory(void);

/* Begins the schedule of @seed: memory is zero again, and there is no vCPU. */
void model_begin(uint64_t seed, const struct model_hooks *hooks);

/* Adds vCPU @id (any below MODEL_CPUS), in the host, its interrupts on, its TLB empty. */
void model_add_cpu(unsigned int id, uint64_t cr3, void (*main)(void *arg), void *arg);

/*
 * The code that flushes at an entry is at @va, of which the translation to @gpa never changes. It
 * is fetched by what the vCPU remembers from before.
 */
void model_flush_code(uint64_t va, uint64_t gpa);

/* Runs until every vCPU's main() has returned. Returns NULL, or why the schedule failed. */
const char *model_run(void);

/* Ends the schedule with a failure; the first one counts. From a vCPU it does not return. */
void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Below: from a vCPU's main() and its handlers. */

/* An access of 8 bytes, aligned, by the guest. False: it faulted, and the fault stood. */
bool model_read(uint64_t va, uint32_t access, uint64_t *value);
bool model_write(uint64_t va, uint32_t access, uint64_t value);

/* Between these two the vCPU is in the host: no guest access, no interrupt, no page walk. */
void model_enter_guest(void);
void model_leave_guest(void);

/* The vCPU is in the host and ends there: what it remembers is gone. */
void model_end_cpu(void);

void model_step(void);			/* an instruction that does nothing */
void model_sleep(uint64_t steps);	/* the host runs something else in this vCPU's place */
uint64_t model_now(void);		/* steps so far: a clock for oracles */
uint32_t model_random(uint32_t below);	/* of the seed */

/*
 * The number of a vCPU to which it matters, by what it remembers, what becomes of the frame at
 * @gpa: now a table of @level, or data (0). -1: there is none, what a correct program knows only by
 * having flushed. In guest mode it is a vCPU whose TLB or paging-structure caches lead there. One
 * in the host, or on its way from there to its flush, touches nothing by its TLB; but its processor
 * may walk ahead, and then sets accessed bits in whatever is where it remembers a table, and in
 * what an entry leads to that it takes for one above a leaf.
 */
int model_who_reaches(uint64_t gpa, unsigned int level);

/* One that remembers a table of a higher level at @gpa, where one of @level is in use; or -1. */
int model_who_mistakes(uint64_t gpa, unsigned int level);

/* What vCPU @id fetches ahead of use: translations for @va, if there are any now. */
void model_prefetch(unsigned int id, uint64_t va);

#endif /* DBOS_MODEL_H */
