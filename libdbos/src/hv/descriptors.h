/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The descriptors that the backends hold: a program neither meets them nor can close them.
 *
 * They have high numbers, so that the program's first is 3 as ever, and are noted here, so that
 * calls that close or replace descriptors spare them (sys/descriptors.c). All processes are
 * independent of their parent's: the child of a fork closes these copies.
 */
#ifndef DBOS_DESCRIPTORS_H
#define DBOS_DESCRIPTORS_H

#include <stdbool.h>

/* Takes over @fd, with FD_CLOEXEC; returns its number from now on. -1 stays -1, with its errno. */
int descriptor_claim(int fd);

/* Closes one that was claimed; -1 is none. */
void descriptor_close(int fd);

/* Closes all, in a child with a table of its own. No vCPU must be in use there. */
void descriptors_close_all(void);

/* The first of ours from @fd on, -1 if there is none. Needs no lock; no libc. */
long descriptor_next(unsigned int fd);

#endif /* DBOS_DESCRIPTORS_H */
