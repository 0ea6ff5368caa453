/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_RUN_LOOP_H
#define DBOS_RUN_LOOP_H

#include "cpu/vcpu.h"

/* The thread's life in user space while its guest lives; returns the registers to leave with. */
const struct dune_regs *run_loop(struct vcpu *vcpu);

#endif /* DBOS_RUN_LOOP_H */
