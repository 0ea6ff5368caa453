/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classic names, for programs written for Dune: the same calls and types over <dbos/dbos.h>.
 * New programs should use that. One global handler of each kind, as ever: a later registration
 * replaces the earlier one.
 */
#ifndef DUNE_H
#define DUNE_H

#include <stdbool.h>
#include <stdint.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#define dune_tf dbos_tf

#define ARG0(tf) ((tf)->rdi)
#define ARG1(tf) ((tf)->rsi)
#define ARG2(tf) ((tf)->rdx)
#define ARG3(tf) ((tf)->r10)
#define ARG4(tf) ((tf)->r8)
#define ARG5(tf) ((tf)->r9)

typedef void (*dune_intr_cb)(struct dune_tf *tf);
typedef void (*dune_pgflt_cb)(uintptr_t addr, uint64_t fec, struct dune_tf *tf);
typedef void (*dune_syscall_cb)(struct dune_tf *tf);

/* @map_full asked for an eager mapping of the process; here all of it is always mapped. */
int dune_init(bool map_full);
int dune_enter(void);

static inline int dune_init_and_enter(void)
{
	int ret = dune_init(true);

	return ret ? ret : dune_enter();
}

int dune_register_intr_handler(int vec, dune_intr_cb cb);
void dune_register_pgflt_handler(dune_pgflt_cb cb);
void dune_register_syscall_handler(dune_syscall_cb cb);

/* The host makes the call in tf and leaves the result in tf->rax. */
void dune_passthrough_syscall(struct dune_tf *tf);

static inline void dune_flush_tlb_one(unsigned long addr)
{
	dbos_invlpg((const void *)addr);
}

static inline void dune_flush_tlb(void)
{
	dbos_write_cr3(dbos_read_cr3());
}

static inline uintptr_t dune_va_to_pa(void *ptr)
{
	return dbos_gpa(dbos_instance(), ptr);
}

#endif /* DUNE_H */
