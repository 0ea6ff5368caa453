// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cpu/offsets.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "sys/interruptible.h"
#include "sys/proxy.h"

/* Calls that wait under a mask of their own, and where it is. */
static const struct {
	uint16_t number;
	uint8_t argument;
	bool behind_pointer;	/* the argument points to a pointer to it */
} waits[] = {
	{ SYS_rt_sigsuspend, 0, false }, { SYS_ppoll, 3, false },
	{ SYS_pselect6, 5, true },	 { SYS_epoll_pwait, 4, false },
	{ SYS_epoll_pwait2, 4, false },	 { SYS_io_pgetevents, 5, true },
};

static bool read_word(uint64_t address, uint64_t *word)
{
	struct iovec here = { word, sizeof(*word) }, there = { (void *)address, sizeof(*word) };
	long pid = host_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);

	return host_syscall(SYS_process_vm_readv, pid, (long)&here, 1, (long)&there, 1, 0) ==
	       sizeof(*word);
}

static bool find_wait_mask(uint64_t number, const uint64_t *arguments, uint64_t *mask)
{
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		uint64_t address;

		if (waits[i].number != number)
			continue;
		address = arguments[waits[i].argument];
		if (waits[i].behind_pointer && address && !read_word(address, &address))
			return false;
		return address && read_word(address, mask);
	}
	return false;
}

bool call_is_interruptible(const struct vcpu *vcpu)
{
	const struct dune_regs *regs = vcpu->regs;

	if (is_passed_on(regs))
		return ((const struct dbos_tf *)regs->rbx)->rflags & RFLAGS_IF;
	return regs->r11 & RFLAGS_IF;
}

long call_interruptible(struct vcpu *vcpu, uint64_t number, const uint64_t *arguments)
{
	struct signals *signals = &vcpu->signals;
	uint64_t never = 0, *due;
	long ret;

	signals->waits = find_wait_mask(number, arguments, &signals->wait_mask);
	signals->interruptible = call_is_interruptible(vcpu);
	due = signals->interruptible ? &signals->pending : &never;
	ret = dbos_host_call(due, number, arguments);
	signals->interruptible = false;
	signals->waits = false;
	return ret;
}

static bool is_between(uint64_t rip, const char *first, const char *end)
{
	return rip >= (uint64_t)first && rip < (uint64_t)end;
}

void call_interrupt(struct vcpu *vcpu, uint64_t *rip, uint64_t *rax)
{
	if (!vcpu->signals.interruptible)
		return;
	if (is_between(*rip, dbos_clone_look, dbos_clone_end))
		*rip = (uint64_t)dbos_clone_interrupted;
	if (!is_between(*rip, dbos_host_call_look, dbos_host_call_end))
		return;
	*rip = (uint64_t)dbos_host_call_interrupted;
	/* It was to go on by restart_syscall(2), which a handler makes an error. */
	if (*rax == SYS_restart_syscall && vcpu->regs->rax != SYS_restart_syscall) {
		*rip = (uint64_t)dbos_host_call_end;
		*rax = -EINTR;
	}
}

bool call_wait_mask(const struct vcpu *vcpu, uint64_t rip, uint64_t rax, uint64_t *mask)
{
	if (!vcpu->signals.waits || rip != (uint64_t)dbos_host_call_end || rax != (uint64_t)-EINTR)
		return false;
	*mask = vcpu->signals.wait_mask;
	return true;
}
