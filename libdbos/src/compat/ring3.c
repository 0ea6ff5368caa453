// SPDX-License-Identifier: BSD-2-Clause
/*
 * The classic way to ring 3: it runs on the table that is loaded, so what it reaches are entries
 * with PTE_U of the program's own. dbos_user_run() does the rest (user.h says why not all of
 * <dbos/user.h>: there ring 3 has a table that nobody else edits).
 *
 * Handlers run here, on the stack of whoever has jumped, not on the trap stack: what they were
 * called for is over as far as the processor goes. So to leave them is to leave these functions.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <sys/syscall.h>

#include <dbos/timer.h>

#include "compat/compat.h"
#include "dbos_internal.h"
#include "user.h"

/* From dune_jump_to_user() to its return. */
struct stay {
	struct stay *outer;
	struct dbos_user *user;
	void *landing[5];	/* of __builtin_setjmp(), to be left to from other functions only */
	uint64_t irqs;
	bool over;
	int code;
};

static _Thread_local struct stay *innermost;
static _Thread_local unsigned long first_fs_base;

/* Of ring 3; NULL: none. Written once more by each registration, read by all threads. */
static dune_syscall_cb syscall_slot;

void dune_register_syscall_handler(dune_syscall_cb cb)
{
	__atomic_store_n(&syscall_slot, cb, __ATOMIC_RELEASE);
}

static bool is_of_ring3(const struct dune_tf *tf)
{
	return (tf->cs & 3) == 3;
}

/* Ring 3's bases are exchanged for ring 0's at each trap; the host would set ring 0's. */
static long set_base(struct dbos_user_regs *regs, const struct dune_tf *tf)
{
	if (ARG0(tf) == ARCH_SET_FS)
		regs->fs_base = ARG1(tf);
	else if (ARG0(tf) == ARCH_SET_GS)
		regs->gs_base = ARG1(tf);
	else
		return -EINVAL;
	return 0;
}

void dune_passthrough_syscall(struct dune_tf *tf)
{
	if (innermost && is_of_ring3(tf)) {
		switch (tf->rax) {
		case SYS_arch_prctl:
			tf->rax = set_base(dbos_user_regs(innermost->user), tf);
			return;
		case SYS_clone:
		case SYS_clone3:
		case SYS_fork:
		case SYS_vfork:
			tf->rax = -ENOSYS;
			return;
		}
	}
	tf->rax = dbos_syscall_host(tf);
}

unsigned long dune_get_user_fs(void)
{
	return innermost ? dbos_user_regs(innermost->user)->fs_base : first_fs_base;
}

void dune_set_user_fs(unsigned long fs_base)
{
	if (innermost)
		dbos_user_regs(innermost->user)->fs_base = fs_base;
	else
		first_fs_base = fs_base;
}

static _Noreturn void report(struct dune_tf *tf, uintptr_t address)
{
	dune_printf("dune: ring 3 has no handler for this, address %#lx\n", address);
	dune_dump_trap_frame(tf);
	dune_die();
}

static void on_page_fault(struct dune_tf *tf, uintptr_t address, uint64_t fec)
{
	dune_pgflt_cb cb = pgflt_slot();

	if (!cb)
		report(tf, address);
	cb(address, fec & ~DBOS_FEC_HOST, tf);
}

static void on_trap(struct dune_tf *tf, unsigned int vector)
{
	dune_intr_cb cb = intr_slot(vector);

	if (cb)
		cb(tf);
	else if (vector != DBOS_TIMER_VECTOR)
		report(tf, 0);
}

static void on_system_call(struct dune_tf *tf)
{
	dune_syscall_cb cb = __atomic_load_n(&syscall_slot, __ATOMIC_ACQUIRE);

	if (cb)
		cb(tf);
	else
		tf->rax = -ENOSYS;
}

static void handle(struct dune_tf *tf, const struct dbos_user_stop *stop)
{
	switch (stop->reason) {
	case DBOS_USER_SYSCALL:
		on_system_call(tf);
		break;
	case DBOS_USER_PREEMPTED:
		on_trap(tf, DBOS_TIMER_VECTOR);
		break;
	case DBOS_USER_RETURNED:
		/* It is nowhere to be returned to. */
		on_page_fault(tf, tf->rip, FEC_U | FEC_I);
		break;
	case DBOS_USER_FAULT:
		tf->num = stop->vector;
		tf->err = stop->error_code;
		if (stop->vector == T_PGFLT)
			on_page_fault(tf, stop->address, stop->error_code);
		else
			on_trap(tf, stop->vector);
	}
}

/* Until a handler has an end to it, which does not come back here. */
static _Noreturn __attribute__((noinline)) void serve(struct stay *stay)
{
	struct dune_tf *tf = &dbos_user_regs(stay->user)->tf;
	struct dbos_user_stop stop;
	int ret;

	while ((ret = dbos_user_run(stay->user, &stop)) == 0)
		handle(tf, &stop);
	dune_ret_from_user(ret);
}

int dune_jump_to_user(struct dune_tf *tf)
{
	struct stay stay = { .outer = innermost, .irqs = machine_irqs_off() };
	int ret;

	machine_irqs_restore(stay.irqs);
	if (!dbos_inside())
		return -EINVAL;
	ret = user_create_on_loaded_table(dbos_instance(), &stay.user);
	if (ret)
		return ret;
	dbos_user_regs(stay.user)->tf = *tf;
	dbos_user_regs(stay.user)->fs_base = first_fs_base;
	innermost = &stay;
	__builtin_setjmp(stay.landing);
	/* Perhaps out of a trap handler of ring 0 that one of ring 3 has run into. */
	machine_irqs_restore(stay.irqs);
	if (!stay.over)
		serve(&stay);
	innermost = stay.outer;
	dbos_user_destroy(stay.user);
	return stay.code;
}

__attribute__((noinline)) void dune_ret_from_user(int ret)
{
	if (!innermost)
		dune_die();
	innermost->code = ret;
	innermost->over = true;
	__builtin_longjmp(innermost->landing, 1);
}

/* frame.S */
void dune_return_to_ring0(const struct dune_tf *tf) __attribute__((noreturn));

void dune_pop_trap_frame(struct dune_tf *tf)
{
	if (!innermost || !is_of_ring3(tf))
		dune_return_to_ring0(tf);
	if (tf != &dbos_user_regs(innermost->user)->tf)
		dbos_user_regs(innermost->user)->tf = *tf;
	__builtin_longjmp(innermost->landing, 1);
}
