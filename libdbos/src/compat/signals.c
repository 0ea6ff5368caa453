// SPDX-License-Identifier: BSD-2-Clause
/*
 * Dune's module made interrupts of signals. Here a signal is what it is for any program, and its
 * handler is given the frame's registers in the classic form.
 */
#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#include "compat/compat.h"

#define SIGNALS 64

/* Atomics: other threads are signalled meanwhile. */
static dune_intr_cb signal_slots[SIGNALS + 1];

/* Where the frame of a signal has what a trap frame has at the same place of this list. */
static const struct {
	int greg;
	size_t offset;
} registers[] = {
	{ REG_RDI, offsetof(struct dune_tf, rdi) }, { REG_RSI, offsetof(struct dune_tf, rsi) },
	{ REG_RDX, offsetof(struct dune_tf, rdx) }, { REG_RCX, offsetof(struct dune_tf, rcx) },
	{ REG_R8, offsetof(struct dune_tf, r8) },   { REG_R9, offsetof(struct dune_tf, r9) },
	{ REG_R10, offsetof(struct dune_tf, r10) }, { REG_R11, offsetof(struct dune_tf, r11) },
	{ REG_RBX, offsetof(struct dune_tf, rbx) }, { REG_RBP, offsetof(struct dune_tf, rbp) },
	{ REG_R12, offsetof(struct dune_tf, r12) }, { REG_R13, offsetof(struct dune_tf, r13) },
	{ REG_R14, offsetof(struct dune_tf, r14) }, { REG_R15, offsetof(struct dune_tf, r15) },
	{ REG_RAX, offsetof(struct dune_tf, rax) }, { REG_RIP, offsetof(struct dune_tf, rip) },
	{ REG_RSP, offsetof(struct dune_tf, rsp) }, { REG_EFL, offsetof(struct dune_tf, rflags) },
};

#define REGISTERS (sizeof(registers) / sizeof(registers[0]))

static void on_signal(int signum, siginfo_t *info, void *context)
{
	dune_intr_cb cb = __atomic_load_n(&signal_slots[signum], __ATOMIC_ACQUIRE);
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct dune_tf tf = {
		.num = DUNE_SIGNAL_INTR_BASE + signum, .cs = gregs[REG_CSGSFS] & 0xffff,
	};

	(void)info;
	if (!cb)
		return;
	for (size_t i = 0; i < REGISTERS; i++)
		*(uint64_t *)((char *)&tf + registers[i].offset) = gregs[registers[i].greg];
	cb(&tf);
	for (size_t i = 0; i < REGISTERS; i++)
		gregs[registers[i].greg] = *(uint64_t *)((char *)&tf + registers[i].offset);
}

int dune_register_signal_handler(int signum, dune_intr_cb cb)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_RESTART };

	if (signum < 1 || signum > SIGNALS || !cb)
		return -EINVAL;
	__atomic_store_n(&signal_slots[signum], cb, __ATOMIC_RELEASE);
	action.sa_sigaction = on_signal;
	sigemptyset(&action.sa_mask);
	return sigaction(signum, &action, NULL) < 0 ? -errno : 0;
}

void (*dune_signal(int sig, void (*cb)(int)))(int)
{
	return signal(sig, cb);
}
