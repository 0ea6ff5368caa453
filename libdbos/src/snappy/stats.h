/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_SNAPPY_STATS_H
#define DBOS_SNAPPY_STATS_H

struct dbos;

/* `dbos stat` finds the counters of snapshots from now on. Once, under dbos->region_lock. */
void snappy_export(struct dbos *dbos);

#endif /* DBOS_SNAPPY_STATS_H */
