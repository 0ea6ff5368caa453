/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_SYS_DESCRIPTORS_H
#define DBOS_SYS_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

struct dune_regs;

/*
 * close, close_range, dup2 and dup3 of the guest's, as if our own descriptors (hv/descriptors.h)
 * were not there: they are not open, and nothing can be put in their place. Returns what is to be
 * in RAX.
 */
long descriptor_call(const struct dune_regs *regs);

#endif /* DBOS_SYS_DESCRIPTORS_H */
