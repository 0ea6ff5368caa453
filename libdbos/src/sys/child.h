/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_CHILD_H
#define DBOS_CHILD_H

#include <stdbool.h>

#include "cpu/vcpu.h"

/*
 * The system call in vcpu->regs is fork, vfork or clone: makes it, and leaves the result there.
 * False, in a child that has a copy of our memory: as proxy_syscall() has it. A child that shares
 * it never returns from here.
 */
bool child_call(struct vcpu *vcpu);

#endif /* DBOS_CHILD_H */
