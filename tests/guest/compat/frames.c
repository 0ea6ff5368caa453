// SPDX-License-Identifier: BSD-2-Clause
/* Trap frames that are gone on with by hand, and those of signals. */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/ring3.h"

static volatile int divides, signals, plain;
static volatile uint64_t number, seen;

static void on_divide(struct dune_tf *tf)
{
	struct dune_tf elsewhere = *tf;

	divides++;
	elsewhere.rip += 2;	/* div %ecx */
	elsewhere.rax = 77;
	dune_pop_trap_frame(&elsewhere);
}

static void on_signal(struct dune_tf *tf)
{
	number = tf->num;
	seen = tf->r12;
	tf->r12 = 5;
	signals++;
}

static void on_plain_signal(int signum)
{
	plain += signum;
}

static uint32_t divide(void)
{
	uint32_t eax = 1;

	__asm__ volatile("div %%ecx" : "+a"(eax) : "c"(0), "d"(0) : "cc", "memory");
	return eax;
}

/* The signal comes with the register as it is here, and may change it. */
static uint64_t raise_with_r12(uint64_t r12)
{
	long ret = SYS_tgkill;

	__asm__ volatile("mov %1, %%r12; syscall; mov %%r12, %1"
			 : "+a"(ret), "+r"(r12)
			 : "D"(getpid()), "S"(gettid()), "d"(SIGUSR1)
			 : "rcx", "r11", "r12", "memory");
	check(!ret, "tgkill: %ld", ret);
	return r12;
}

int main(void)
{
	uint64_t flags, r12;

	check_ok(dune_init_and_enter());
	check_ok(dune_register_intr_handler(T_DIVIDE, on_divide));
	for (int i = 1; i <= 3; i++)
		check(divide() == 77 && divides == i, "%d divides", divides);
	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	check(flags & 0x200, "interrupts are off");
	check(dune_register_intr_handler(256, on_divide) < 0, "no such vector");

	check_ok(dune_register_signal_handler(SIGUSR1, on_signal));
	raise(SIGUSR1);
	check(signals == 1 && number == DUNE_SIGNAL_INTR_BASE + SIGUSR1, "%lu", number);
	r12 = raise_with_r12(3);
	check(signals == 2 && seen == 3 && r12 == 5, "%lu, %lu", seen, r12);
	check(dune_signal(SIGUSR2, on_plain_signal) == SIG_DFL, "not the default");
	raise(SIGUSR2);
	check(plain == SIGUSR2 && signals == 2, "%d", plain);
	check(dune_mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
	      "mapped nothing");
	puts("frames: ok");
	return 0;
}
