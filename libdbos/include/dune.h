/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classic names, for programs written for Dune: the same calls and types over <dbos/dbos.h>.
 * New programs should use that. One global handler of each kind, as ever: a later registration
 * replaces the earlier one.
 *
 *	<dune/mmu.h>		bits of entries, control registers, vectors
 *	<dune/page.h>		pages with counted references
 *	<dune/vm.h>		address spaces
 *	<dune/procmap.h>	what the process has mapped
 *
 * Unless noted, functions are callable inside and outside, from trap handlers too, and return 0 or
 * -errno. docs/libdbos.md says what differs from Dune.
 */
#ifndef DUNE_H
#define DUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <dbos/trap.h>

#define dune_tf dbos_tf

#include <dune/mmu.h>
#include <dune/page.h>
#include <dune/procmap.h>
#include <dune/vm.h>

#define ARG0(tf) ((tf)->rdi)
#define ARG1(tf) ((tf)->rsi)
#define ARG2(tf) ((tf)->rdx)
#define ARG3(tf) ((tf)->r10)
#define ARG4(tf) ((tf)->r8)
#define ARG5(tf) ((tf)->r9)

typedef void (*dune_intr_cb)(struct dune_tf *tf);
typedef void (*dune_pgflt_cb)(uintptr_t addr, uint64_t fec, struct dune_tf *tf);
typedef void (*dune_syscall_cb)(struct dune_tf *tf);

/*
 * Life cycle: once per process and once per thread; errors are those of dbos_init() and
 * dbos_enter(). @map_full asked for an eager mapping of the process, and IPIs had to be asked for;
 * here all of it is always mapped, and IPIs are always there.
 */
int dune_init(bool map_full);
int dune_init_with_ipi(bool map_full);
int dune_enter(void);

static inline int dune_init_and_enter(void)
{
	int ret = dune_init(true);

	return ret ? ret : dune_enter();
}

/*
 * Handlers of what happens in ring 0 and in ring 3. Those of ring 0 run on the trap stack with
 * interrupts off, under the rules of <dbos/dbos.h>, those of ring 3 on the stack of the thread that
 * has jumped there. What a handler stores in *tf is what the interrupted code gets. Registering
 * may allocate: not from handlers. A vector is 0..254, and page faults have their own.
 */
int dune_register_intr_handler(int vec, dune_intr_cb cb);
void dune_register_pgflt_handler(dune_pgflt_cb cb);

/*
 * System calls that ring 3 makes; without a handler they are -ENOSYS. dune_passthrough_syscall()
 * has the host make the call in tf, with the memory of ring 0 within its reach: what ring 3 may
 * point to is the handler's to check. Calls that make a child are -ENOSYS, as it would begin
 * outside; ARCH_SET_FS and ARCH_SET_GS are ring 3's own bases, the rest of arch_prctl -EINVAL.
 */
void dune_register_syscall_handler(dune_syscall_cb cb);
void dune_passthrough_syscall(struct dune_tf *tf);

/* System calls that ring 0 makes. A handler's own go straight to the host. */
void dune_register_g0_syscall_handler(dune_syscall_cb cb);
void dune_passthrough_g0_syscall(struct dune_tf *tf);

/*
 * Signals, by sigaction(): the handler runs wherever libdbos runs those. *tf has the registers that
 * the signal's frame has, with tf->num DUNE_SIGNAL_INTR_BASE + @signum. dune_signal() is signal().
 */
#define DUNE_SIGNAL_INTR_BASE 200

int dune_register_signal_handler(int signum, dune_intr_cb cb);
void (*dune_signal(int sig, void (*cb)(int)))(int);

/*
 * Goes to ring 3 with the registers in *tf (selectors and privileged flags are set here), on the
 * page table that is loaded: ring 3 reaches what has PERM_U there. Returns the code that a handler
 * gives to dune_ret_from_user(), or -errno: -EINVAL outside, -ENOMEM, -EOPNOTSUPP: the CPU lacks
 * FSGSBASE. May be nested in handlers of ring 3, but not in those of ring 0, since it allocates.
 *
 * A page fault or exception in ring 3 that has no handler is reported and ends the process.
 */
int dune_jump_to_user(struct dune_tf *tf);

/*
 * From handlers of what happened in ring 3, or in such a handler, but not in one of ring 0's system
 * calls. Ends the process if the thread has not jumped.
 */
void dune_ret_from_user(int ret) __attribute__((noreturn));

/*
 * Goes on with *tf instead of returning from the handler: in ring 3, if its CS says so and the
 * thread has jumped, else in ring 0. Only inside.
 */
void dune_pop_trap_frame(struct dune_tf *tf) __attribute__((noreturn));

/* The FS base that ring 3 has when the calling thread next goes there; 0 at first. */
unsigned long dune_get_user_fs(void);
void dune_set_user_fs(unsigned long fs_base);

/*
 * To descriptor 2, at most 1023 bytes; returns how many, or -errno. No handler sees the call, and
 * integers and strings need no memory but the stack.
 */
int dune_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void dune_dump_trap_frame(struct dune_tf *tf);

/* Ends the process, status 1, without a word. */
void dune_die(void) __attribute__((noreturn));

/* mmap(), made by the host without any handler seeing it. */
void *dune_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);

#endif /* DUNE_H */
