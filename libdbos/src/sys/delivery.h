/* SPDX-License-Identifier: BSD-2-Clause */
/* What the processor itself needs to take an exception, and of which none can tell. */
#ifndef DBOS_DELIVERY_H
#define DBOS_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/vcpu.h"

/*
 * An access to @va, memory of the process that the host refuses, can't be told to the guest as a
 * page fault: what the guest would need for it is what is missing. NULL, or the reason in words.
 * From the run loop.
 */
const char *delivery_obstacle(struct vcpu *vcpu, uint64_t va);

#endif /* DBOS_DELIVERY_H */
