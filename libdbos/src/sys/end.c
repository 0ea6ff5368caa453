// SPDX-License-Identifier: BSD-2-Clause
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/signals.h"
#include "hv/host_syscall.h"
#include "sys/end.h"

#define REPORT_SIZE 1024

/* Without libc, whose stdio may be what the guest is in the middle of. */
struct report {
	size_t length;
	char text[REPORT_SIZE];
};

static void say(struct report *report, const char *what)
{
	while (*what && report->length < REPORT_SIZE)
		report->text[report->length++] = *what++;
}

static void say_number(struct report *report, const char *name, uint64_t number)
{
	char digits[] = "0000000000000000";

	for (int i = 15; number; i--, number >>= 4)
		digits[i] = "0123456789abcdef"[number & 15];
	say(report, name);
	say(report, digits);
}

void end_report(const char *what, const struct dbos_tf *tf, uint64_t address)
{
	const struct {
		const char *name;
		uint64_t value;
	} registers[] = {
		{ "\n  rax ", tf->rax }, { " rbx ", tf->rbx },	  { " rcx ", tf->rcx },
		{ "\n  rdx ", tf->rdx }, { " rsi ", tf->rsi },	  { " rdi ", tf->rdi },
		{ "\n  rbp ", tf->rbp }, { " rsp ", tf->rsp },	  { " r8  ", tf->r8 },
		{ "\n  r9  ", tf->r9 },	 { " r10 ", tf->r10 },	  { " r11 ", tf->r11 },
		{ "\n  r12 ", tf->r12 }, { " r13 ", tf->r13 },	  { " r14 ", tf->r14 },
		{ "\n  r15 ", tf->r15 }, { " rip ", tf->rip },	  { " flags ", tf->rflags },
		{ "\n  vector ", tf->num }, { " error code ", tf->err }, { " address ", address },
	};
	struct report report;

	report.length = 0;
	say(&report, "dbos: ");
	say(&report, what);
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		say_number(&report, registers[i].name, registers[i].value);
	say(&report, "\n");
	host_syscall(SYS_write, STDERR_FILENO, (long)report.text, report.length, 0, 0, 0);
}

_Noreturn void end_by_signal(int signo, int code, uint64_t address)
{
	struct signal_action action = { 0 };
	uint64_t unblock = 1ull << (signo - 1);
	siginfo_t info = { 0 };
	long pid, tid;

	info.si_signo = signo;
	info.si_code = code;
	info.si_addr = (void *)address;
	pid = host_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
	tid = host_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
	host_syscall(SYS_rt_sigaction, signo, (long)&action, 0, sizeof(unblock), 0, 0);
	host_syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&unblock, 0, sizeof(unblock), 0, 0);
	host_syscall(SYS_rt_tgsigqueueinfo, pid, tid, signo, (long)&info, 0, 0);
	for (;;)
		host_syscall(SYS_exit_group, 128 + signo, 0, 0, 0, 0, 0);
}
