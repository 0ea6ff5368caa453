// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "sys/mapping.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static bool owned(struct vcpu *vcpu, uint64_t va, uint64_t length)
{
	struct cpus *cpus = &vcpu->dbos->cpus;
	const struct inflights *inflights = &vcpu->dbos->inflights;
	bool owned;

	if (!inflights->owns || !length)
		return false;
	cpu_walks(cpus, &cpus->cpu[vcpu->number]);
	owned = inflights->owns(inflights->arg, va, length);
	cpu_outside(cpus, &cpus->cpu[vcpu->number]);
	return owned;
}

static bool is_refused(struct vcpu *vcpu, uint64_t va, uint64_t length, long *result)
{
	*result = -EBUSY;
	return owned(vcpu, va, length);
}

static bool advice_is_refused(struct vcpu *vcpu, const struct dune_regs *regs, long *result)
{
	switch ((int)regs->rdx) {
	case MADV_FREE:
		*result = 0;
		return owned(vcpu, regs->rdi, regs->rsi);
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_REMOVE:
		return is_refused(vcpu, regs->rdi, regs->rsi, result);
	default:
		return false;
	}
}

/* A break that can't go back stays: the kernel says so by where it is. */
static bool break_is_refused(struct vcpu *vcpu, uint64_t to, long *result)
{
	uint64_t first = (to + DBOS_PAGE_SIZE - 1) & ~(DBOS_PAGE_SIZE - 1ul);

	if (!to || !vcpu->dbos->inflights.owns)
		return false;
	*result = host_syscall(SYS_brk, 0, 0, 0, 0, 0, 0);
	return first < (uint64_t)*result && owned(vcpu, first, *result - first);
}

bool mapping_call_is_refused(struct vcpu *vcpu, long *result)
{
	const struct dune_regs *regs = vcpu->regs;

	switch (regs->rax) {
	case SYS_munmap:
		return is_refused(vcpu, regs->rdi, regs->rsi, result);
	case SYS_mremap:
		return is_refused(vcpu, regs->rdi, regs->rsi, result) ||
		       (regs->r10 & MREMAP_FIXED &&
			is_refused(vcpu, regs->r8, regs->rdx, result));
	case SYS_mmap:
		return regs->r10 & MAP_FIXED && is_refused(vcpu, regs->rdi, regs->rsi, result);
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		return (regs->rdx & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE) &&
		       is_refused(vcpu, regs->rdi, regs->rsi, result);
	case SYS_madvise:
		return advice_is_refused(vcpu, regs, result);
	case SYS_brk:
		return break_is_refused(vcpu, regs->rdi, result);
	default:
		return false;
	}
}
