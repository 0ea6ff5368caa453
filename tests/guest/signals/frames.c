// SPDX-License-Identifier: BSD-2-Clause
/* Where frames lie, and what comes back from them. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "signals.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1 << 31)
#endif

static stack_t stack;

static void on_stack(int signo, siginfo_t *info, void *context)
{
	char here;
	stack_t now;
	const ucontext_t *uc = context;

	check(sigaltstack(NULL, &now) == 0, "sigaltstack");
	saw("[%d on %d flags %x saved %x size %zu change %d] ", signo,
	    &here - (char *)stack.ss_sp < (long)stack.ss_size, now.ss_flags, uc->uc_stack.ss_flags,
	    uc->uc_stack.ss_size, sigaltstack(&stack, NULL));
	count++;
	if (count == 1)
		raise(SIGUSR2);
	(void)info;
}

void stacks(void)
{
	stack_t none = { .ss_flags = SS_DISABLE }, was;
	stack_t tiny = { .ss_sp = (void *)&count, .ss_size = 100 };

	stack = (stack_t){ .ss_sp = malloc(65536), .ss_size = 65536 };
	check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	handle(SIGUSR1, on_stack, SA_ONSTACK);
	handle(SIGUSR2, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	check(count == 2, "%d signals", count);
	handle(SIGUSR1, on_stack, 0);
	raise(SIGUSR1);
	stack.ss_flags = SS_AUTODISARM;
	check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	handle(SIGUSR1, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	sigaltstack(NULL, &was);
	saw("then %x %zu, ", was.ss_flags, was.ss_size);
	saw("tiny %d", sigaltstack(&tiny, NULL) ? errno : 0);
	check(sigaltstack(&none, &was) == 0, "sigaltstack");
	sigaltstack(NULL, &was);
	saw(" none %x %zu", was.ss_flags, was.ss_size);
	free(stack.ss_sp);
}

/* A handler changes what it returns to. */
static void on_change(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint64_t *xmm = (uint64_t *)&uc->uc_mcontext.fpregs->_xmm[3];

	where();
	saw("[xmm3 %lx rbx %llx] ", xmm[0], uc->uc_mcontext.gregs[REG_RBX]);
	xmm[0] = 0x1234;
	uc->uc_mcontext.gregs[REG_RBX] = 0x5678;
	sigaddset(&uc->uc_sigmask, SIGUSR2);
	(void)signo;
	(void)info;
}

void changing(void)
{
	uint64_t rbx = 0xbb, xmm3, value = 0x33;

	handle(SIGILL, on_change, 0);
	handle(SIGUSR1, on_change, 0);
	__asm__ volatile("movq	%2, %%xmm3\n"
			 "	syscall\n"
			 "	movq	%%xmm3, %1"
			 : "+b"(rbx), "=r"(xmm3)
			 : "r"(value), "a"(SYS_tgkill), "D"(getpid()), "S"(gettid()), "d"(SIGUSR1)
			 : "rcx", "r11", "xmm3", "memory");
	saw("rbx %lx xmm3 %lx mask %lx", rbx, xmm3, mask_now());
	check(rbx == 0x5678 && xmm3 == 0x1234, "rbx %lx, xmm3 %lx", rbx, xmm3);
	set_mask(SIG_UNBLOCK, SIGUSR2, 0);
}

static void on_tick(int signo)
{
	where();
	(void)signo;
	/* All that a leaf may keep below its stack pointer must survive this, and vectors. */
	__asm__ volatile("pxor %%xmm5, %%xmm5" : : : "xmm5");
	count++;
}

/* A storm upon code with values in the red zone, in flags and in registers. */
void storm(void)
{
	struct itimerval timer = { { 0, 2000 }, { 0, 2000 } }, off = { 0 };
	uint64_t bad = 0;

	check(signal(SIGALRM, on_tick) != SIG_ERR, "signal");
	setitimer(ITIMER_REAL, &timer, NULL);
	while (count < 50) {
		__asm__ volatile("mov	$200, %%rcx\n"
				 "	movq	%%rsp, %%xmm5\n"
				 "	mov	%%rcx, -8(%%rsp)\n"
				 "	mov	%%rsp, -128(%%rsp)\n"
				 "	stc\n"
				 "1:	jnc	2f\n"
				 "	dec	%%rcx\n"
				 "	jnz	1b\n"
				 "	cmpq	$200, -8(%%rsp)\n"
				 "	jne	2f\n"
				 "	cmp	%%rsp, -128(%%rsp)\n"
				 "	jne	2f\n"
				 "	movq	%%xmm5, %%rcx\n"
				 "	cmp	%%rsp, %%rcx\n"
				 "	je	3f\n"
				 "2:	inc	%0\n"
				 "3:"
				 : "+r"(bad) : : "rcx", "xmm5", "cc", "memory");
		getppid();
	}
	setitimer(ITIMER_REAL, &off, NULL);
	check(bad == 0, "%lu times something was lost", bad);
}

static int child_status(void (*what)(void))
{
	pid_t pid = fork();
	int status;

	check(pid >= 0, "fork");
	if (pid == 0) {
		inside = false;		/* a child is outside, ... */
		what();
		_exit(count);
	}
	while (waitpid(pid, &status, 0) < 0)
		check(errno == EINTR, "waitpid");
	return status & 0xff7f;		/* without the mark of a core file */
}

static void child_raises(void)
{
	count = 0;
	raise(SIGUSR1);
	raise(SIGUSR2);
}

/* ... and has its parent's handlers and stack. */
void children(void)
{
	stack_t was;

	handle(SIGUSR1, on_signal, 0);
	stack = (stack_t){ .ss_sp = malloc(65536), .ss_size = 65536 };
	check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	handle(SIGUSR2, on_stack, SA_ONSTACK);
	saw("status %x", child_status(child_raises));
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, &was);
	free(stack.ss_sp);
}
