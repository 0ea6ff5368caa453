/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPUs among themselves. Each thread inside has a number; it gets the lowest free one when it
 * enters and gives it back when it leaves or ends. In the host (in a system call) a vCPU is never
 * waited for, and what others want of it is done when it is back, before it runs on. A signal
 * handler that interrupts guest code holds up whoever waits for that vCPU.
 *
 * Unless noted, functions are thread-safe and may be called inside, in trap handlers too, and from
 * threads outside after dbos_init(). A function that waits serves others meanwhile: calls to the
 * caller run in it. Not from signal handlers: -EDEADLK, if they interrupt a thread that is inside.
 */
#ifndef DBOS_SMP_H
#define DBOS_SMP_H

#include <dbos/dbos.h>

/* The calling vCPU's number, 0..255; -EINVAL outside. */
int dbos_self(void);

/*
 * Has vCPU @vcpu run fn(arg), on its trap stack with interrupts off, under the rules for handlers
 * of interrupts; it must not leave or end its thread. Each call runs once, the calls of one thread
 * to one vCPU in the order in which they were made. A call to oneself runs at once, one to a vCPU
 * in the host when it is back, one to a vCPU that leaves or ends before it is gone.
 *
 * -ESRCH: no such vCPU; -EAGAIN: DBOS_CALL_TRY, and 16 calls are waiting there; -EDEADLK: it would
 * wait inside of a call, or in a world that the caller has stopped.
 */
#define DBOS_CALL_WAIT (1u << 0)	/* return when it has run */
#define DBOS_CALL_TRY  (1u << 1)	/* do not wait for a place */

int dbos_call(struct dbos *dbos, unsigned int vcpu, void (*fn)(void *arg), void *arg,
	      unsigned int flags);

/*
 * Stops all other vCPUs: they are in the host, from where they don't return, or stand still inside,
 * where they flush. Threads outside go on, but none can enter. Who has stopped the world may not
 * leave it (-EBUSY from dbos_leave() and dbos_enter()). If two stop it at once, one waits for the
 * other to start it.
 *
 * -EALREADY: stopped by the caller; -EDEADLK: inside of a call; start: -EINVAL: not stopped by the
 * caller.
 */
int dbos_stop_world(struct dbos *dbos);
int dbos_start_world(struct dbos *dbos);

#endif /* DBOS_SMP_H */
