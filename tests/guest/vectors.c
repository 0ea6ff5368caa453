// SPDX-License-Identifier: BSD-2-Clause
/*
 * vectors: the registers that no system call may touch, on every way in and out of the guest:
 * vector registers to their full width, the control words of SSE and x87.
 * Prints a line for each way; the last one is "vectors: ok".
 */
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "check.h"

#define MXCSR_ROUND_UP 0x5f80u	/* not what a new thread or vCPU has */
#define X87_SINGLE     0x107fu	/* nor this */

typedef struct {
	uint64_t word[4];
} ymm_t;

static volatile sig_atomic_t signals;

/* Leaves other values in the registers than it has found. */
__attribute__((target("avx"))) static void on_signal(int signo)
{
	(void)signo;
	__asm__ volatile("vxorps %%ymm6, %%ymm6, %%ymm6\n"
			 "	vxorps %%ymm15, %%ymm15, %%ymm15\n" : : : "xmm6", "xmm15");
	signals++;
}

static void set_control_words(uint32_t mxcsr, uint16_t x87)
{
	__asm__ volatile("ldmxcsr %0\n	fldcw %1" : : "m"(mxcsr), "m"(x87));
}

static void check_control_words(const char *where)
{
	uint32_t mxcsr;
	uint16_t x87;

	__asm__ volatile("stmxcsr %0\n	fnstcw %1" : "=m"(mxcsr), "=m"(x87));
	check((mxcsr & ~0x3fu) == MXCSR_ROUND_UP, "%s: MXCSR is %#x", where, mxcsr);
	check(x87 == X87_SINGLE, "%s: the x87 control word is %#x", where, x87);
}

/* One system call with patterns in two registers; what is there behind it. */
__attribute__((target("avx"))) static long call(long nr, long a0, long a1, const ymm_t *in,
						ymm_t out[2])
{
	long ret;

	__asm__ volatile("vmovups %[in], %%ymm6\n"
			 "	vmovups %[in], %%ymm15\n"
			 "	syscall\n"
			 "	vmovups %%ymm6, %[six]\n"
			 "	vmovups %%ymm15, %[fifteen]\n"
			 : "=a"(ret), [six] "=m"(out[0]), [fifteen] "=m"(out[1])
			 : "a"(nr), "D"(a0), "S"(a1), [in] "m"(*in)
			 : "rcx", "r11", "xmm6", "xmm15", "memory");
	return ret;
}

static long checked_call(const char *name, long nr, long a0, long a1)
{
	ymm_t in = { { 0x1111222233334444, ~0ull, 0x5555666677778888, nr } }, out[2];
	long ret = call(nr, a0, a1, &in, out);

	check(memcmp(&in, &out[0], sizeof(in)) == 0 && memcmp(&in, &out[1], sizeof(in)) == 0,
	      "%s: the upper half of YMM6 is %#lx %#lx", name, out[0].word[2], out[0].word[3]);
	return ret;
}

static void fork_keeps_them(void)
{
	long pid = checked_call("fork", SYS_fork, 0, 0);
	int status;

	check(pid >= 0, "fork: %ld", pid);
	if (pid == 0) {
		check_control_words("child");
		_exit(9);
	}
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	check(WIFEXITED(status) && WEXITSTATUS(status) == 9, "child: status %#x", status);
	printf("fork: ok\n");
}

static void signals_keep_them(void)
{
	check(signal(SIGUSR1, on_signal) != SIG_ERR, "signal");
	check(checked_call("signal", SYS_kill, getpid(), SIGUSR1) == 0, "kill");
	check(signals == 1, "%d signals", signals);
	check_control_words("signal");
	printf("signal: ok\n");
}

/* A handler that uses them, called for an instruction that does. */
__attribute__((target("avx"))) static enum dbos_verdict clobber(void *arg, struct dbos_tf *tf)
{
	(void)arg;
	__asm__ volatile("vxorps %%ymm6, %%ymm6, %%ymm6\n"
			 "	vxorps %%ymm15, %%ymm15, %%ymm15\n" : : : "xmm6", "xmm15");
	tf->rax = dbos_syscall_host(tf);
	return DBOS_HANDLED;
}


int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	check(__builtin_cpu_supports("avx"), "this takes a CPU with AVX");
	check_ok(dbos_init());
	set_control_words(MXCSR_ROUND_UP, X87_SINGLE);
	check_ok(dbos_enter());
	check_control_words("enter");
	printf("enter: ok\n");
	check(checked_call("call", SYS_getpid, 0, 0) == getpid(), "getpid");
	printf("call: ok\n");
	signals_keep_them();
	fork_keeps_them();
	check_ok(dbos_on_syscall(dbos_instance(), SYS_getppid, clobber, NULL));
	check(checked_call("hooked", SYS_getppid, 0, 0) == getppid(), "getppid");
	printf("hooked: ok\n");
	check_ok(dbos_leave());
	check_control_words("leave");
	printf("leave: ok\n");
	/* And a second time: the vCPU is not new then. */
	set_control_words(0x1f80, 0x37f);
	check_ok(dbos_enter());
	set_control_words(MXCSR_ROUND_UP, X87_SINGLE);
	check_ok(dbos_leave());
	check_control_words("inside");
	printf("vectors: ok\n");
	return 0;
}
