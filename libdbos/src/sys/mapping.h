/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_SYS_MAPPING_H
#define DBOS_SYS_MAPPING_H

#include <stdbool.h>

#include "cpu/vcpu.h"

/*
 * Calls that change what is mapped where memory moves between frames (mm/inflight.h): what is at an
 * address of it for the host may be another page's by now, or a snapshot's. True: *result is what
 * the call returns, and it is not to be made.
 */
bool mapping_call_is_refused(struct vcpu *vcpu, long *result);

#endif /* DBOS_SYS_MAPPING_H */
