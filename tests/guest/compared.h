/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cases that are done twice, outside and inside: what a case sees goes into a transcript, and the
 * two have to be equal. Accesses that may fail are probes, whose faults are stepped over: outside
 * by a signal handler, inside by a fault handler.
 */
#ifndef COMPARED_H
#define COMPARED_H

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <ucontext.h>

#include <dbos/dbos.h>

#include "check.h"

static struct {
	char text[2][4096];
	size_t length[2];
	int inside;
} transcript;

static _Thread_local volatile uintptr_t probe_fault;	/* the last one's address */
static _Thread_local volatile uint64_t probe_code;	/* inside: its error code */
extern char probe_read_at[], probe_write_at[];

static __attribute__((unused, format(printf, 1, 2))) void see(const char *format, ...)
{
	size_t *length = &transcript.length[transcript.inside];
	char *text = transcript.text[transcript.inside];
	va_list list;

	va_start(list, format);
	*length += vsnprintf(text + *length, sizeof(transcript.text[0]) - *length, format, list);
	va_end(list);
	check(*length < sizeof(transcript.text[0]) - 1, "the transcript is full");
}

/* Two bytes each, and nothing else in their functions touches memory but through RDI. */
__asm__(".text\n"
	"probe_read:	xor	%eax, %eax\n"
	"		jmp	probe_read_at\n"
	"probe_read_at:	movb	(%rdi), %al\n"
	"		ret\n"
	"probe_write:	mov	%esi, %eax\n"
	"probe_write_at: movb	%al, (%rdi)\n"
	"		ret\n");
long probe_read(const volatile void *p);
void probe_write(volatile void *p, int value);

static bool is_probe(uint64_t rip)
{
	return rip == (uint64_t)probe_read_at || rip == (uint64_t)probe_write_at;
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
	ucontext_t *ucontext = context;

	check(is_probe(ucontext->uc_mcontext.gregs[REG_RIP]), "signal %d at %p", signo,
	      info->si_addr);
	probe_fault = (uintptr_t)info->si_addr;
	ucontext->uc_mcontext.gregs[REG_RIP] += 2;
}

static enum dbos_verdict on_fault(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)arg;
	if (!is_probe(tf->rip))
		return DBOS_NEXT;
	probe_fault = va;
	probe_code = fec;
	tf->rip += 2;
	return DBOS_HANDLED;
}

/* A byte, or -1: a fault, at the address itself. */
static int peek(const volatile void *p)
{
	long value;

	probe_fault = 0;
	value = probe_read(p);
	check(!probe_fault || probe_fault == (uintptr_t)p, "reading %p faults at %#lx", p,
	      probe_fault);
	return probe_fault ? -1 : (int)value;
}

static bool poke(volatile void *p, int value)
{
	probe_fault = 0;
	probe_write(p, value);
	check(!probe_fault || probe_fault == (uintptr_t)p, "writing %p faults at %#lx", p,
	      probe_fault);
	return !probe_fault;
}

static void compared_begin(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	check(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0,
	      "sigaction");
	check_ok(dbos_on_fault(dbos_instance(), 0, UINTPTR_MAX, on_fault, NULL));
}

__attribute__((unused))
static void compare(const char *name, void (*act)(void))
{
	transcript.length[0] = transcript.length[1] = 0;
	transcript.inside = 0;
	check_ok(dbos_leave());
	act();
	transcript.inside = 1;
	check_ok(dbos_enter());
	act();
	check(transcript.length[0] > 0, "%s has seen nothing", name);
	check(strcmp(transcript.text[0], transcript.text[1]) == 0, "%s\noutside: %s\ninside:  %s",
	      name, transcript.text[0], transcript.text[1]);
	printf("%s: ok\n", name);
}

#endif /* COMPARED_H */
