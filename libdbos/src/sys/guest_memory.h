/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's memory for the run loop, through the guest's page table. Bytes are moved by the
 * kernel (process_vm_readv on ourselves): a bad address is an error then, and vector registers
 * stay as they are. All return 0 or a positive result, or -EFAULT.
 */
#ifndef DBOS_GUEST_MEMORY_H
#define DBOS_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "dbos_internal.h"
#include "sys/pass.h"

struct guest_memory {
	const struct dbos *dbos;
	struct pass_fault *fault;	/* the first access that the guest's table refused */
};

/* @length bytes as at most @max pieces for the host; fewer bytes if that is not enough. */
long guest_pieces(const struct guest_memory *memory, uint64_t va, uint64_t length, bool write,
		  struct iovec *pieces, size_t max);

/* Both of few pages; all of it or nothing. */
long guest_read(const struct guest_memory *memory, uint64_t va, void *to, uint64_t length);
long guest_write(const struct guest_memory *memory, uint64_t va, const void *from,
		 uint64_t length);

/* Bytes of a string with its NUL. -EFAULT also for those above @max. */
long guest_string(const struct guest_memory *memory, uint64_t va, uint64_t max);

/* The host finds the same memory at the same addresses. */
bool guest_plain(const struct guest_memory *memory, uint64_t va, uint64_t length);

#endif /* DBOS_GUEST_MEMORY_H */
