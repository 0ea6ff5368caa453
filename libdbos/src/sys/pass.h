/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A system call for the host: the guest's pointers become the process's.
 *
 * They are the same until the program changes its page table. From then on each pointer is looked
 * up there, by the table of calls. Memory that is contiguous for the host is used where it is.
 * Memory that is not is copied there and back, and what read(2), write(2) and their like are given
 * becomes a list of pieces. What can't be done is -EFAULT; memory of another page never goes in.
 */
#ifndef DBOS_PASS_H
#define DBOS_PASS_H

#include "cpu/vcpu.h"
#include "sys/syscalls.h"

/* Why there was no call: the guest's own table does not allow the access. */
struct pass_fault {
	uint64_t va;
	uint64_t length;	/* as much is wanted there, at least */
	bool happened, write;
};

/*
 * Makes the call in vcpu->regs and returns its result; @call may be NULL, nothing is known of it
 * then. From the run loop only. With fault->happened (the result is -EFAULT then) no call was made.
 */
long pass_call(struct vcpu *vcpu, const struct syscall_info *call, struct pass_fault *fault);

#endif /* DBOS_PASS_H */
