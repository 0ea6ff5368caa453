/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands. Each returns the status to end with, and has said why on stderr if it is not 0. */
#ifndef DBOS_COMMAND_H
#define DBOS_COMMAND_H

int command_run(char **argv);

/* 1: no such process, 2: not privileged, 3: not yours, 4: privileged by another libdbos. */
int command_stat(const char *pid);

#endif /* DBOS_COMMAND_H */
