/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters that others read: <dbos/stat.h>. */
#ifndef DBOS_CPU_STAT_H
#define DBOS_CPU_STAT_H

struct dbos;
struct vcpu;

int stat_create(struct dbos *dbos);
void stat_destroy(struct dbos *dbos);

/* The calling thread's vCPU has its number, or gives it back. */
void stat_begin(struct vcpu *vcpu);
void stat_end(struct vcpu *vcpu);

/* From the run loop, behind each return of the guest: no libc, no vector registers. */
void stat_exit(struct vcpu *vcpu);

#endif /* DBOS_CPU_STAT_H */
