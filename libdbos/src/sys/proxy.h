/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_PROXY_H
#define DBOS_PROXY_H

#include <stdbool.h>

#include "cpu/vcpu.h"

/* A handler passes the call on: dbos_syscall_host() has put the frame of that into RBX. */
static inline bool is_passed_on(const struct dune_regs *regs)
{
	return regs->rip != (uint64_t)dbos_syscall_return;
}

/*
 * Makes the system call in vcpu->regs and leaves the result there. False: the guest is over for
 * this thread (it is the child of a fork), and it goes on in user space from these registers.
 */
bool proxy_syscall(struct vcpu *vcpu);

#endif /* DBOS_PROXY_H */
