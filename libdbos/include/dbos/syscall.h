/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls made inside: handlers of one's own, and what libdbos does with a call by itself.
 *
 * Handlers are a chain, asked newest first (dbos.h says where and how they run). For a call whose
 * number is in its range a handler may
 *
 *	answer		put the result (or -errno) into tf->rax, return DBOS_HANDLED
 *	pass it on	return DBOS_NEXT: the next handler is asked, and the host after the last
 *	change it	arguments, and the number (tf->rax), then pass it on; whom the chain asks is
 *			settled by the number that the program had called
 *
 * A handler's own calls go straight to the host: no handler sees them. The child of a fork() that
 * was made inside is outside, where no handler is asked.
 */
#ifndef DBOS_SYSCALL_H
#define DBOS_SYSCALL_H

#include <dbos/dbos.h>

/*
 * Numbers @first to @last, both included; 0 to UINTPTR_MAX is all of them, unknown ones too. Takes
 * effect on every vCPU at its next call; never unregistered. Thread-safe; from anywhere but a
 * handler, as it allocates and takes a lock. -EINVAL: no instance or handler, or an empty range;
 * -ENOMEM.
 */
int dbos_on_syscalls(struct dbos *dbos, uintptr_t first, uintptr_t last, dbos_trap_fn fn,
		     void *arg);

/* The same for one number, or all (DBOS_ANY). */
#define DBOS_ANY (-1)
int dbos_on_syscall(struct dbos *dbos, int nr, dbos_trap_fn fn, void *arg);

/* For such a handler: the host makes the call in tf; returns its result (also -errno). */
long dbos_syscall_host(const struct dbos_tf *tf);

/* A number that libdbos does not know. It is passed to the host with its arguments as they are. */
struct dbos_unknown_syscall {
	uint64_t number;
	uint64_t count;		/* how often it was made */
};

/*
 * The unknown numbers so far, at most @max of them in @calls, in the order of their first calls;
 * returns how many there are. No more than 64 are told apart. From anywhere, without a lock: counts
 * may rise meanwhile. With DBOS_TRACE in the environment at dbos_init() each number is also
 * reported once, by a line on descriptor 2.
 */
size_t dbos_unknown_syscalls(const struct dbos *dbos, struct dbos_unknown_syscall *calls,
			     size_t max);

#endif /* DBOS_SYSCALL_H */
