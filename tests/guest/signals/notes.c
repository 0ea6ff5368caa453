// SPDX-License-Identifier: BSD-2-Clause
/* What all cases need: notes of what was seen, and a handler that makes one. */
#include <stdarg.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "inside.h"
#include "signals.h"

char seen[LOG_SIZE];
sigjmp_buf back;
volatile int count;
bool inside;

void saw(const char *format, ...)
{
	size_t length = strlen(seen);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(seen + length, LOG_SIZE - length, format, arguments);
	va_end(arguments);
}

uint64_t mask_now(void)
{
	uint64_t mask;

	check(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8) == 0, "mask");
	return mask & ~(1ull << 63);	/* the doorbell's is nobody's business */
}

void set_mask(int how, int first, int second)
{
	sigset_t set;

	sigemptyset(&set);
	if (first)
		sigaddset(&set, first);
	if (second)
		sigaddset(&set, second);
	check(sigprocmask(how, &set, NULL) == 0, "sigprocmask");
}

/* Every handler must run where the case runs. */
void where(void)
{
	check((current_privilege_level() == 0) == inside, "handler at CPL %u, inside: %d",
	      current_privilege_level(), inside);
}

void on_signal(int signo, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uint64_t saved = *(const uint64_t *)&uc->uc_sigmask & ~(1ull << 63);

	where();
	count++;
	saw("[%d code %d mask %lx saved %lx] ", signo, info->si_code, mask_now(), saved);
}

void handle(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	check(sigaction(signo, &action, NULL) == 0, "sigaction");
}
