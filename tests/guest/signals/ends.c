// SPDX-License-Identifier: BSD-2-Clause
/* Ends of a process by what no handler can help. */
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <dbos/dbos.h>

#include "signals.h"

static char *volatile nowhere = (char *)0x10;

static void by_fault(void)
{
	*nowhere = 1;
}

static void by_division(void)
{
	volatile int many = 7, zero = 0;

	_exit(many / zero);
}

static void by_instruction(void)
{
	__asm__ volatile("ud2");
}

static void by_default(void)
{
	raise(SIGTERM);
}

static void while_blocked(void)
{
	handle(SIGSEGV, on_signal, 0);
	set_mask(SIG_BLOCK, SIGSEGV, 0);
	by_fault();
}

static void while_ignored(void)
{
	signal(SIGSEGV, SIG_IGN);
	raise(SIGSEGV);
	by_fault();
}

static void on_fault_again(int signo, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	count += signo;
	by_fault();
}

static void in_handler(void)
{
	handle(SIGSEGV, on_fault_again, 0);
	by_fault();
}

static volatile bool deep_enough;

__attribute__((noinline)) static int deeper(volatile char *last)
{
	volatile char here[4096];

	here[0] = last[0];
	return deep_enough ? 0 : deeper(here) + here[0];
}

static void overflow(void)
{
	handle(SIGSEGV, on_signal, 0);
	deeper("");
}

static void on_overflow(int signo, siginfo_t *info, void *context)
{
	where();
	_exit(info->si_code == SEGV_MAPERR ? 42 + signo : 1);
	(void)context;
}

static void overflow_caught(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };

	sigaltstack(&stack, NULL);
	handle(SIGSEGV, on_overflow, SA_ONSTACK);
	deeper("");
}

static void on_bad_frame(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RIP] = 0x8000000000000000;
	(void)signo;
	(void)info;
}

static void bad_frame(void)
{
	handle(SIGUSR1, on_bad_frame, 0);
	raise(SIGUSR1);
}

static void (*ends[])(void) = {
	by_fault,   by_division, by_instruction, by_default,	  while_blocked,
	in_handler, overflow,	 while_ignored,	 overflow_caught, bad_frame,
};

static void end_inside(void (*what)(void))
{
	struct rlimit small = { 0, 0 };

	setrlimit(RLIMIT_CORE, &small);
	setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, 1 << 20 });
	if (inside) {
		check_ok(dbos_init());
		check_ok(dbos_enter());
	}
	what();
	_exit(0);
}

void ending(void)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		pid_t pid = fork();
		int status;

		check(pid >= 0, "fork");
		if (pid == 0)
			end_inside(ends[i]);
		check(waitpid(pid, &status, 0) == pid, "waitpid");
		saw("%x ", status);
		check(status, "end %zu: none", i);
	}
}

/* Ends that only a guest has. */
static enum dbos_verdict faulty(void *arg, struct dbos_tf *tf)
{
	(void)arg;
	(void)tf;
	by_fault();
	return DBOS_HANDLED;
}

static void in_trap_handler(void)
{
	handle(SIGSEGV, on_signal, 0);
	check_ok(dbos_on_intr(dbos_instance(), 6, faulty, NULL));
	by_instruction();
}

static enum dbos_verdict endless(void *arg, struct dbos_tf *tf)
{
	(void)arg;
	(void)tf;
	return deeper("") ? DBOS_HANDLED : DBOS_NEXT;
}

static void on_trap_stack(void)
{
	check_ok(dbos_on_intr(dbos_instance(), 6, endless, NULL));
	by_instruction();
}

int broken(void)
{
	void (*ways[])(void) = { in_trap_handler, on_trap_stack };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		pid_t pid = fork();
		int status;

		inside = true;
		check(pid >= 0, "fork");
		if (pid == 0)
			end_inside(ways[i]);
		check(waitpid(pid, &status, 0) == pid, "waitpid");
		printf("status %x\n", status);
	}
	return 0;
}
