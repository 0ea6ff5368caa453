/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vector registers in the frame of a signal: an XSAVE area in standard format, marked as the kernel
 * marks it, so that a frame of ours is good outside and one of the kernel's inside.
 */
#ifndef DBOS_SIGNAL_VECTORS_H
#define DBOS_SIGNAL_VECTORS_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* Bytes that they take in a frame. */
uint64_t signal_vectors_size(const struct vcpu *vcpu);

/* From the trap's area to the frame's, at @to in the program's memory. False: out of reach. */
bool signal_vectors_out(const struct vcpu *vcpu, void *vectors, uint64_t to);

/* Back, from wherever the frame says; 0 is the initial state. What XRSTOR refuses is put right. */
bool signal_vectors_in(const struct vcpu *vcpu, void *vectors, uint64_t from);

/* Exceptions of x87 (@sse: of SSE) that have happened and are not masked. */
uint32_t signal_vectors_exceptions(const void *vectors, bool sse);

/* signal_copy.S */
bool dbos_signal_copy(void *to, const void *from, uint64_t length);
extern char dbos_signal_copy_access[], dbos_signal_copy_failed[];

#endif /* DBOS_SIGNAL_VECTORS_H */
