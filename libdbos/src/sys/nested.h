/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arguments that point to pointers, which stay as they are: nobody writes other addresses into the
 * program's memory. So all that they lead to must be where the host looks, else -EFAULT. From the
 * run loop.
 */
#ifndef DBOS_NESTED_H
#define DBOS_NESTED_H

#include <stdint.h>

#include "sys/guest_memory.h"

/* Strings, up to a NULL. */
long nested_strings(const struct guest_memory *memory, uint64_t va);

#endif /* DBOS_NESTED_H */
