/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_PGTABLE_H
#define DBOS_PGTABLE_H

struct dbos;

/* Builds the table: every window, translated to itself. -ENOMEM. */
int pgtable_create(struct dbos *dbos);

/* Gives all of its memory back; no vCPU may be left. */
void pgtable_destroy(struct dbos *dbos);

#endif /* DBOS_PGTABLE_H */
