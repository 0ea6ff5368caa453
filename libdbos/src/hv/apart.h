/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of libdbos's own, apart from the heap of malloc(). What it keeps is read by the run loop,
 * on the host's side, and inside on whatever snapshot a vCPU is; the heap may be a part of these.
 */
#ifndef DBOS_APART_H
#define DBOS_APART_H

#include <stddef.h>

/* Zero, and aligned to 64. NULL: no memory. Inside and outside, but not in handlers. */
void *apart_alloc(size_t size);

/* Of that size; NULL is fine. */
void apart_free(void *memory, size_t size);

/* In the child of a fork(): whoever was at it is gone. What there is stays where it is. */
void apart_begin_anew(void);

#endif /* DBOS_APART_H */
