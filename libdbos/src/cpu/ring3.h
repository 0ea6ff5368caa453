/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ring 3's registers while it does not run, and the exchange of them for ring 0's. All of them are
 * exchanged, so nothing leaks either way: also selectors, bases and vector registers, which no trap
 * changes.
 */
#ifndef DBOS_RING3_H
#define DBOS_RING3_H

#include <stdint.h>

#include <dbos/user.h>

struct vcpu;

struct ring3_selectors {
	uint16_t ds, es, fs, gs;
};

struct ring3 {
	struct dbos_user_regs regs;
	struct ring3_selectors selectors;
	void *vectors;		/* in the form of XSAVE, or FXSAVE */
	uint64_t cr3;
};

/* A page of an area for vector registers, however many the CPU has. */
size_t ring3_vectors_size(void);

/* All as in a new process. */
void ring3_reset(struct ring3 *ring3);

/*
 * Runs it until it traps; *cr2 is what a page fault has left. @own_vectors: room for ring 0's.
 * Flags and selectors of *ring3 are made those of ring 3; RIP and the bases are canonical.
 */
void ring3_run(struct vcpu *vcpu, struct ring3 *ring3, void *own_vectors, uint64_t *cr2);

/* ring3.S */
void dbos_ring3_enter(struct vcpu *vcpu, struct dbos_tf *tf, uint64_t cr3);

/* What the entry code takes, page-aligned; the linker's names. */
extern char __start_dbos_entry[], __stop_dbos_entry[];

#endif /* DBOS_RING3_H */
