/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_COMMAND_STAT_ITEMS_H
#define DBOS_COMMAND_STAT_ITEMS_H

#include <dbos/stat.h>

/* A line for each thing that the process counts; @memory is its /proc/PID/mem. None: nothing. */
void print_items(int memory, const struct dbos_stat *stat);

#endif /* DBOS_COMMAND_STAT_ITEMS_H */
