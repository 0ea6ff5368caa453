/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a vCPU, by dbos_leave() or with its thread. */
#ifndef DBOS_EXIT_H
#define DBOS_EXIT_H

#include "cpu/vcpu.h"

/*
 * In the guest, as the last thing there: runs the calls that others have made to this vCPU, takes
 * no more, and gives back its frames.
 */
void exit_settle(struct vcpu *vcpu);

/* The guest has called exit: it goes on, one last time, at what ends it. From the run loop. */
void exit_begin(struct vcpu *vcpu);

/* The guest is done: the thread ends, and its vCPU with it. */
_Noreturn void exit_finish(struct vcpu *vcpu, long status);

#endif /* DBOS_EXIT_H */
