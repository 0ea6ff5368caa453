/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters that others read: <dbos/stat.h>. */
#ifndef DBOS_CPU_STAT_H
#define DBOS_CPU_STAT_H

struct dbos;
struct dbos_stat_item;
struct vcpu;

int stat_create(struct dbos *dbos);
void stat_destroy(struct dbos *dbos);

/*
 * One more thing that others read; @item is copied, but for its name. One caller at a time, from
 * outside of handlers. What does not fit is not shown.
 */
void stat_add_item(struct dbos *dbos, const char *name, const struct dbos_stat_item *item);

/* The calling thread's vCPU has its number, or gives it back. */
void stat_begin(struct vcpu *vcpu);
void stat_end(struct vcpu *vcpu);

/* From the run loop, behind each return of the guest: no libc, no vector registers. */
void stat_exit(struct vcpu *vcpu);

#endif /* DBOS_CPU_STAT_H */
