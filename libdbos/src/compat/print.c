// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a program may say and do from anywhere: system calls that no handler sees, and printing with
 * them. Compiled with vector registers, for a double may be among the arguments.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/compat.h"

#include <dbos/dbos.h>

long compat_syscall(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	struct dbos_tf tf = {
		.rax = nr, .rdi = a0, .rsi = a1, .rdx = a2, .r10 = a3, .r8 = a4, .r9 = a5,
	};

	return dbos_syscall_host(&tf);
}

int dune_printf(const char *format, ...)
{
	char text[1024];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0)
		return -EINVAL;
	if (length >= (int)sizeof(text))
		length = sizeof(text) - 1;
	return compat_syscall(SYS_write, STDERR_FILENO, (long)text, length, 0, 0, 0);
}

void dune_dump_trap_frame(struct dune_tf *tf)
{
	dune_printf("dune: trap %lu, error code %#lx, ring %lu\n"
		    "rip %016lx rsp %016lx rflags %08lx\n"
		    "rax %016lx rbx %016lx rcx %016lx rdx %016lx\n"
		    "rsi %016lx rdi %016lx rbp %016lx\n"
		    "r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n"
		    "r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n",
		    tf->num, tf->err, tf->cs & 3, tf->rip, tf->rsp, tf->rflags, tf->rax, tf->rbx,
		    tf->rcx, tf->rdx, tf->rsi, tf->rdi, tf->rbp, tf->r8, tf->r9, tf->r10, tf->r11,
		    tf->r12, tf->r13, tf->r14, tf->r15);
}

void dune_die(void)
{
	for (;;)
		compat_syscall(SYS_exit_group, 1, 0, 0, 0, 0, 0);
}

void *dune_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	long ret = compat_syscall(SYS_mmap, (long)addr, length, prot, flags, fd, offset);

	if (ret < 0 && ret > -4096) {
		errno = -ret;
		return MAP_FAILED;
	}
	return (void *)ret;
}
