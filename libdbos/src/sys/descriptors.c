// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <linux/close_range.h>
#include <sys/syscall.h>

#include "hv/descriptors.h"
#include "hv/host_syscall.h"
#include "hv/hv.h"
#include "sys/descriptors.h"

static bool is_ours(uint64_t fd)
{
	return descriptor_next((unsigned int)fd) == (long)(unsigned int)fd;
}

/* What lies between ours, one piece after the other. Ours close at exec already. */
static long close_range_call(unsigned int first, unsigned int last, unsigned int flags)
{
	long own = descriptor_next(first), ret;

	if (first > last || flags & CLOSE_RANGE_CLOEXEC || own < 0 || own > last)
		return host_syscall(SYS_close_range, first, last, flags, 0, 0, 0);
	do {
		if (first < own) {
			ret = host_syscall(SYS_close_range, first, own - 1, flags, 0, 0, 0);
			if (ret)
				return ret;
		}
		first = own + 1;
		own = descriptor_next(first);
	} while (own >= 0 && own <= last);
	return first > last ? 0 : host_syscall(SYS_close_range, first, last, flags, 0, 0, 0);
}

long descriptor_call(const struct dune_regs *regs)
{
	switch (regs->rax) {
	case SYS_close:
		if (is_ours(regs->rdi))
			return -EBADF;
		break;
	case SYS_close_range:
		return close_range_call(regs->rdi, regs->rsi, regs->rdx);
	default: /* dup2, dup3 */
		if (is_ours(regs->rdi))
			return -EBADF;
		if (is_ours(regs->rsi))
			return -EBUSY;
		break;
	}
	return host_syscall(regs->rax, regs->rdi, regs->rsi, regs->rdx, 0, 0, 0);
}
