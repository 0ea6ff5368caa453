// SPDX-License-Identifier: BSD-2-Clause
/* Exceptions: what a handler is told, and that it can mend what has faulted. */
#include <sys/mman.h>
#include <ucontext.h>

#include "signals.h"

static void on_fault(int signo, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	where();
	saw("[%d code %d addr %lx trap %lld cr2 %llx rdi %llx] ", signo, info->si_code,
	    (uint64_t)info->si_addr & 0xfff, uc->uc_mcontext.gregs[REG_TRAPNO],
	    uc->uc_mcontext.gregs[REG_CR2] & 0xfff, uc->uc_mcontext.gregs[REG_RDI]);
	count++;
	siglongjmp(back, 1);
}

#define FAULTS(code, ...)                                                              \
	do {                                                                           \
		int before = count;                                                    \
		if (!sigsetjmp(back, 1)) {                                             \
			__asm__ volatile(code : : __VA_ARGS__ : "rdi", "memory", "cc");     \
			saw("no fault ");                                              \
		}                                                                      \
		check(count == before + 1, "no fault by %s", code);                    \
	} while (0)

void faults(void)
{
	char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *end;
	FILE *file = tmpfile();
	uint16_t control = 0x37b;	/* division by zero not masked */

	for (int signo = SIGILL; signo <= SIGSEGV; signo++) {
		if (signo != SIGKILL && signo != SIGABRT)
			handle(signo, on_fault, 0);
	}
	munmap(page + 8192, 4096);
	mprotect(page + 4096, 4096, PROT_READ);
	FAULTS("mov $1, %%edi; movb $1, 0x123(%0)", "r"(page + 8192));
	FAULTS("mov $2, %%edi; movb $1, 0x124(%0)", "r"(page + 4096));
	FAULTS("mov $3, %%edi; cmpb $1, 0x125(%0)", "r"(page + 8192));
	FAULTS("mov $4, %%edi; call *%0", "r"(page + 8192 + 0x126));
	mprotect(page + 4096, 4096, PROT_NONE);
	FAULTS("mov $5, %%edi; cmpb $1, 0x127(%0)", "r"(page + 4096));
	FAULTS("mov $6, %%edi; movb $1, (%0)", "r"(0x28l));
	end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
	FAULTS("mov $7, %%edi; movb $1, 0x128(%0)", "r"(end));
	FAULTS("mov $8, %%edi; movb $1, (%0)", "r"(0x8000000000000000ul));
	FAULTS("mov $9, %%edi; xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx",
	       "i"(0), "i"(0));
	FAULTS("mov $10, %%edi; ud2", "i"(0));
	FAULTS("mov $11, %%edi; int3", "i"(0));
	FAULTS("mov $12, %%edi; pushf; orl $0x100, (%%rsp); popf; nop; nop", "i"(0));
	/* Of x87, as TCG raises none of SSE's. */
	FAULTS("mov $13, %%edi; fldcw %0; fld1; fldz; fdivrp; fwait", "m"(control));
	control = 0x37f;
	__asm__ volatile("fninit; fldcw %0" : : "m"(control));
	munmap(page, 8192);
	munmap(end, 8192);
	fclose(file);
	check(count == 13, "%d faults", count);
}

static void on_mend(int signo, siginfo_t *info, void *context)
{
	where();
	check(signo == SIGSEGV, "signal %d", signo);
	check(mprotect((void *)((uintptr_t)info->si_addr & -4096ul), 4096,
		       PROT_READ | PROT_WRITE) == 0, "mprotect");
	count++;
	(void)context;
}

/* A handler that mends what its program does then: barriers of garbage collectors. */
void mending(void)
{
	char *page = mmap(NULL, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int sum = 0;

	handle(SIGSEGV, on_mend, 0);
	for (int i = 0; i < 64; i++)
		page[i * 4096] = i;
	for (int i = 0; i < 64; i++)
		sum += page[i * 4096];
	saw("%d faults, sum %d", count, sum);
	check(count == 64 && sum == 2016, "%d faults, sum %d", count, sum);
	munmap(page, 64 * 4096);
}
