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
	uint64_t root;			/* the table that the vCPU has loaded; 0: the process's */
	struct pass_fault *fault;	/* the first access that the guest's table refused */
	struct inflight *inflight;	/* NULL: nothing is noted */
};

static inline struct guest_memory guest_memory_of(const struct vcpu *vcpu,
						  struct pass_fault *fault)
{
	return (struct guest_memory){
		.dbos = vcpu->dbos, .root = vcpu->dbos->cpus.cpu[vcpu->number].root,
		.fault = fault,
	};
}

/*
 * Who writes to some of it gets a copy, by a handler of libdbos's: what has no W may be written. By
 * a vCPU that walks.
 */
bool guest_copies(const struct dbos *dbos, uint64_t va, uint64_t length);

/* @length bytes as at most @max pieces for the host; fewer bytes if that is not enough. */
long guest_pieces(const struct guest_memory *memory, uint64_t va, uint64_t length, bool write,
		  struct iovec *pieces, size_t max);

/* Both of few pages; all of it or nothing. */
long guest_read(const struct guest_memory *memory, uint64_t va, void *to, uint64_t length);
long guest_write(const struct guest_memory *memory, uint64_t va, const void *from,
		 uint64_t length);

/*
 * The same behind a call, where that range was noted as written before: a snapshot that was made
 * meanwhile has copies of it, though the table may refuse to write it.
 */
long guest_write_back(const struct guest_memory *memory, uint64_t va, const void *from,
		      uint64_t length);

/* Bytes of a string with its NUL. -EFAULT also for those above @max. */
long guest_string(const struct guest_memory *memory, uint64_t va, uint64_t max);

/* The host finds the same memory at the same addresses. It is noted. */
bool guest_plain(const struct guest_memory *memory, uint64_t va, uint64_t length, bool write);

/* The host is going to use that memory: -ENOMEM, no room for the note. See mm/inflight.h. */
long guest_note(const struct guest_memory *memory, uint64_t va, const struct iovec *pieces,
		uint64_t count, bool write);

/* The same of memory that the host is going to write, wherever it lies. -EFAULT as above. */
long guest_note_written(const struct guest_memory *memory, uint64_t va, uint64_t length);

#endif /* DBOS_GUEST_MEMORY_H */
