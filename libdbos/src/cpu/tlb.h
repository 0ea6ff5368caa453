/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping the TLBs of all vCPUs true, by generations.
 *
 * Whoever has changed an entry of the page table raises the generation and leaves a note of what
 * is to be flushed. Each vCPU knows up to which generation it has flushed, and catches up: in the
 * interrupt that a waiting flusher sends, while it waits for something itself, and when it comes
 * back from the host. A vCPU in the host is never waited for. Four things follow:
 *
 *   - A flush that nobody needs at once costs one atomic addition (TLB_LAZY).
 *   - What was unlinked in generation g is out of reach, of TLBs, of paging-structure caches and
 *     of walks with interrupts off, once no vCPU is behind g: tlb_settled() >= g. But for a vCPU
 *     that was outside and has yet to make its flush on the way in: it reaches nothing by itself,
 *     but its processor may look ahead through all that it remembers (mm/frames.h).
 *   - What is changed in one page table only needs no flush of who has another one loaded: loading
 *     drops everything. He is behind, and that is all (tlb_flush_roots).
 *   - With interrupts off, and as long as it waits for nothing, a vCPU can't catch up; so what it
 *     has found in the page table stays what it is, if not where it is linked.
 */
#ifndef DBOS_TLB_H
#define DBOS_TLB_H

#include <stdint.h>

struct cpu;
struct cpus;

/* Notes that are kept. A vCPU that is further behind, or finds one overwritten, flushes all. */
#define TLB_REQUESTS 64

/* From here on flushing all is cheaper than INVLPGs. */
#define TLB_PAGES_MAX 32

#define TLB_ALL_PAGES (~0ull)

struct tlb_request {
	uint64_t generation;	/* 0: none yet; TLB_BUSY: being written */
	uint64_t va, pages;
};

struct tlb {
	uint64_t generation;
	uint64_t asked;		/* for this one and all before */
	struct tlb_request request[TLB_REQUESTS];
};

/* Of one vCPU, counted by itself alone. */
struct tlb_counters {
	uint64_t pages;		/* INVLPGs */
	uint64_t flushes;	/* of all */
	uint64_t interrupts;	/* IPIs sent to flush others */
};

enum tlb_wait { TLB_LAZY, TLB_SYNC };

/* Of which vCPUs a flush is wanted, by the page table that they have loaded (struct cpu). */
enum tlb_roots { TLB_ALL_ROOTS, TLB_THIS_ROOT, TLB_OTHER_ROOTS };

/* This vCPU only. Does nothing out of guest mode, where none is in use. */
void tlb_flush_local(struct cpus *cpus, uint64_t va, uint64_t pages);

/*
 * All vCPUs, this one at once. The others: before this returns (TLB_SYNC), or at the latest when
 * they next catch up (TLB_LAZY); those in the host in either case before they touch guest memory
 * again. Returns the generation. A TLB_SYNC lets the calling vCPU catch up, so pointers into the
 * page table are void afterwards, but for locked entries. From anywhere but under a spinlock.
 */
uint64_t tlb_flush(struct cpus *cpus, uint64_t va, uint64_t pages, enum tlb_wait wait);

/*
 * As TLB_SYNC, for what has changed in the page table of @root only, or in all but that: who has
 * none of these loaded is not waited for. He knows nothing of it, and catches up at some time.
 */
uint64_t tlb_flush_roots(struct cpus *cpus, enum tlb_roots roots, uint64_t root, uint64_t va,
			 uint64_t pages);

/* The calling vCPU has another page table, at @gpa, which others know as @root. Interrupts off. */
void tlb_load_root(struct cpus *cpus, uint64_t root, uint64_t gpa);

/* Sees to it that no vCPU is behind @generation; what TLB_SYNC does after raising it. */
void tlb_wait(struct cpus *cpus, uint64_t generation);
void tlb_wait_root(struct cpus *cpus, uint64_t root, uint64_t generation);

/*
 * Those that are behind @generation are sent an interrupt, in which they catch up, and nobody is
 * waited for. Nothing is sent if that was done since. From anywhere.
 */
void tlb_ask(struct cpus *cpus, uint64_t generation);

/* The newest generation that no vCPU is behind; one that is outside is behind none. */
uint64_t tlb_settled(struct cpus *cpus);

/*
 * The newest generation that the TLBs of all vCPUs have been flushed for, also of those outside: it
 * may stand still for as long as one is. A number that is taken anew counts from its first flush.
 */
uint64_t tlb_flushed(struct cpus *cpus);

/* The calling vCPU flushes what it is behind with. Only in guest mode. */
void tlb_catch_up(struct cpus *cpus, struct cpu *cpu);

/* The same from the host, on the way into the guest. */
void tlb_catch_up_at_entry(struct cpus *cpus, struct cpu *cpu);

#endif /* DBOS_TLB_H */
