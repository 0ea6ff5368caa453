/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_BASES_H
#define DBOS_BASES_H

#include "cpu/vcpu.h"

/*
 * FS and GS bases exist twice, in the thread and in its guest, which may change its own by WRFSBASE
 * without anybody's notice. The guest's become the thread's. From user space, behind a run.
 */
int bases_out(struct vcpu *vcpu);

#endif /* DBOS_BASES_H */
