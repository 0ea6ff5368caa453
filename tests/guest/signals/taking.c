// SPDX-License-Identifier: BSD-2-Clause
/* Kinds of actions, what nests in what, masks, and what needs no handler. */
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "signals.h"

static void on_signal_plain(int signo)
{
	where();
	saw("[plain %d]", signo);
}

static void send(int signo)
{
	check(syscall(SYS_tgkill, getpid(), gettid(), signo) == 0, "tgkill");
}

void kinds(void)
{
	struct sigaction action = { .sa_handler = on_signal_plain };
	union sigval value = { .sival_int = 42 };

	handle(SIGUSR1, on_signal, 0);
	send(SIGUSR1);
	check(count == 1, "%d signals", count);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGUSR1, value);
	raise(SIGUSR1);
	check(count == 4, "%d signals", count);
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
	handle(SIGUSR2, on_signal, SA_RESETHAND | SA_NODEFER);
	raise(SIGUSR2);
	sigaction(SIGUSR2, NULL, &action);
	check(action.sa_handler == SIG_DFL, "not reset");
	handle(SIGUSR2, on_signal, SA_RESTART);
	sigaction(SIGUSR2, NULL, &action);
	check(action.sa_sigaction == on_signal, "another handler");
	saw("flags %x ", action.sa_flags);
}

static void on_nested(int signo, siginfo_t *info, void *context)
{
	on_signal(signo, info, context);
	if (signo == SIGUSR1)
		raise(SIGUSR2);
	else if (count < 5)
		raise(SIGUSR2);
	saw("(end %d) ", signo);
}

/* SIGUSR2 nests in itself, SIGUSR1 does not; two that are due come in the kernel's order. */
void nesting(void)
{
	handle(SIGUSR1, on_nested, 0);
	handle(SIGUSR2, on_nested, SA_NODEFER);
	raise(SIGUSR1);
	check(count == 5, "%d signals", count);
	set_mask(SIG_BLOCK, SIGUSR1, SIGUSR2);
	handle(SIGUSR2, on_signal, 0);
	handle(SIGUSR1, on_signal, 0);
	raise(SIGUSR2);
	raise(SIGUSR1);
	check(count == 5, "blocked, but %d signals", count);
	set_mask(SIG_UNBLOCK, SIGUSR1, SIGUSR2);
	check(count == 7, "%d signals", count);
	saw("mask %lx", mask_now());
}

void realtime(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigfillset(&action.sa_mask);
	for (int i = 34; i < 40; i++)
		sigaction(i, &action, NULL);
	set_mask(SIG_BLOCK, 35, 36);
	for (int i = 0; i < 4; i++) {
		raise(35);
		raise(36);
	}
	set_mask(SIG_UNBLOCK, 35, 36);
	check(count == 8, "%d signals", count);
}

/* What waits for signals without a handler is the host's. */
void waiting(void)
{
	struct signalfd_siginfo read_info;
	siginfo_t info;
	sigset_t set;
	int fd;

	handle(SIGUSR1, on_signal, 0);
	set_mask(SIG_BLOCK, SIGUSR1, SIGUSR2);
	raise(SIGUSR1);
	sigpending(&set);
	saw("pending %d %d ", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	saw("waited %d ", sigwaitinfo(&set, &info));
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	raise(SIGUSR1);
	check(read(fd, &read_info, sizeof(read_info)) == sizeof(read_info), "signalfd");
	saw("read %d", read_info.ssi_signo);
	close(fd);
	set_mask(SIG_UNBLOCK, SIGUSR1, SIGUSR2);
	check(count == 0, "%d signals", count);
}

static void on_jump(int signo, siginfo_t *info, void *context)
{
	on_signal(signo, info, context);
	siglongjmp(back, signo);
}

void jumping(void)
{
	handle(SIGUSR1, on_jump, 0);
	for (volatile int i = 0; i < 20; i++) {
		if (!sigsetjmp(back, 1))
			raise(SIGUSR1);
	}
	check(count == 20, "%d signals", count);
	saw("mask %lx", mask_now());
}
