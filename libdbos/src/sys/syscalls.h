/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each system call is, and what its arguments are: syscalls.def in a form that C reads.
 * Read-only, so callable from anywhere.
 */
#ifndef DBOS_SYSCALLS_H
#define DBOS_SYSCALLS_H

#include <stdbool.h>
#include <stdint.h>

#define SYSCALL_ARGUMENTS 6

enum syscall_class { SYSCALL_PASS = 1, SYSCALL_OURS, SYSCALL_REFUSE };

/* Those behind ARGUMENT_ADDRESS are followed. */
enum argument_kind {
	ARGUMENT_VALUE,
	ARGUMENT_ADDRESS,	/* a mapping */
	ARGUMENT_MEMORY,	/* .unit bytes, times argument .count if .counted */
	ARGUMENT_MEMORY_AT,	/* as many bytes as the int behind argument .count */
	ARGUMENT_BITS,		/* argument .count bits, in whole longs */
	ARGUMENT_STRING,
	ARGUMENT_STRINGS,
	ARGUMENT_IOVEC,		/* argument .count of struct iovec */
	ARGUMENT_MESSAGE,
	ARGUMENT_MESSAGES,	/* argument .count of struct mmsghdr */
	ARGUMENT_ANY,
};

struct argument {
	uint8_t kind;
	bool in, out;		/* the kernel reads there, writes there */
	bool counted;
	uint8_t count;		/* the number of another argument, from 0 */
	uint16_t unit;		/* bytes */
};

struct syscall_info {
	const char *name;
	uint8_t class;
	struct argument arguments[SYSCALL_ARGUMENTS];
};

/* NULL: the table does not have that number. */
const struct syscall_info *syscall_find(uint64_t number);

#endif /* DBOS_SYSCALLS_H */
