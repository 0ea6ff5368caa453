/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a process whose guest can't go on. From the run loop. */
#ifndef DBOS_END_H
#define DBOS_END_H

#include <stdint.h>

#include <dbos/trap.h>

/*
 * Ends the process the way the kernel ends one for a fault it can't deliver: the signal with its
 * default action, which also writes the core file.
 */
_Noreturn void end_by_signal(int signo, int code, uint64_t address);

/*
 * What the core file does not have, for the process is in the run loop then: the guest's registers,
 * on descriptor 2. @what is a few words.
 */
void end_report(const char *what, const struct dbos_tf *tf, uint64_t address);

#endif /* DBOS_END_H */
