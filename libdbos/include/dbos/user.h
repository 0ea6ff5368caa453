/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ring 3 inside: functions that the process itself does not trust.
 *
 *	dbos_user_create()	nothing can be reached from there yet
 *	dbos_user_grant()	memory, by page, at the address that it has for the process
 *	dbos_user_begin()	a function, a stack, arguments
 *	dbos_user_run()		goes there; comes back when the function returns, makes a system
 *				call, faults, or is preempted by the timer (<dbos/timer.h>)
 *
 * A system call goes nowhere by itself: the caller sees its registers, and may make it, answer it
 * (regs->tf.rax) or stop there. To go on is to run again, to stop is not to. Such a function has a
 * page table of its own, in which nothing of the process is mapped but what was granted, and a few
 * pages for the way back that only ring 0 may touch. I/O ports, and with them the calls to the run
 * loop, are closed to it (IOPL 0, and no permission map). It can't turn interrupts off.
 *
 * What it does see: CPUID, the time-stamp counter, and by SGDT and SIDT two addresses of the
 * process. INT3 and INT n are #GP. Nothing is done against side channels.
 *
 * One of these is used by one vCPU at a time, by any that is inside. Functions return 0 or -errno
 * and may be called in trap handlers, but for create, grant, revoke and destroy, which allocate.
 */
#ifndef DBOS_USER_H
#define DBOS_USER_H

#include <dbos/dbos.h>

struct dbos_user;

/* Outside too. -ENOMEM; -EOPNOTSUPP: the CPU lacks FSGSBASE. */
int dbos_user_create(struct dbos *dbos, struct dbos_user **user);

/* Not while it runs. The memory that was granted stays as it is. */
void dbos_user_destroy(struct dbos_user *user);

#define DBOS_USER_READ	(1u << 0)	/* always */
#define DBOS_USER_WRITE (1u << 1)
#define DBOS_USER_EXEC	(1u << 2)

/*
 * Whole pages, read where the page table of the process has them now; a later change of its entries
 * is not followed. Again for the same pages: with these rights instead, seen at the latest when it
 * next runs. Memory is to be revoked before it is unmapped: what the process gets there afterwards
 * would be granted too.
 *
 * -EINVAL: not pages, or memory that libdbos itself lives in; -EFAULT: not in the page table, or
 * not writable there; -ENOMEM, -ENOSPC: as for dbos_pte(). On failure some of the pages may be
 * granted.
 */
int dbos_user_grant(struct dbos_user *user, const void *va, size_t size, unsigned int rights);

/* When this returns none of it can be reached any more, also if it runs on another vCPU. */
int dbos_user_revoke(struct dbos_user *user, const void *va, size_t size);

/* What ring 3 has in registers while it does not run; its vector registers are kept elsewhere. */
struct dbos_user_regs {
	struct dbos_tf tf;	/* CS, SS and flags that are not its own are set by each run */
	uint64_t fs_base, gs_base;
};

struct dbos_user_regs *dbos_user_regs(struct dbos_user *user);

/*
 * The next run calls function(arg[0], ...) on the stack below @stack_top, which is 16-byte aligned
 * and granted. All other registers, vector registers too, are as those of a new process.
 */
int dbos_user_begin(struct dbos_user *user, const void *function, void *stack_top,
		    const uint64_t arg[6]);

enum dbos_user_reason {
	DBOS_USER_RETURNED,	/* .value: RAX */
	DBOS_USER_SYSCALL,	/* regs->tf: as at SYSCALL, RIP behind it */
	DBOS_USER_FAULT,	/* .vector, .error_code; .address of a page fault */
	DBOS_USER_PREEMPTED,	/* by this vCPU's timer, anywhere */
};

struct dbos_user_stop {
	enum dbos_user_reason reason;
	unsigned int vector;
	uint64_t error_code;
	uintptr_t address;
	uint64_t value;
};

/*
 * Only inside. Interrupts of other kinds than the timer's are served in between. A tick that comes
 * meanwhile is this function's and goes to no handler. -EINVAL: outside, or a base in *regs that is
 * not canonical; -EBUSY: it runs already; -ENOMEM.
 */
int dbos_user_run(struct dbos_user *user, struct dbos_user_stop *stop);

#endif /* DBOS_USER_H */
