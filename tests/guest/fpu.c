// SPDX-License-Identifier: BSD-2-Clause
/*
 * fpu [CALLS]: one thread makes system calls inside, two world switches each, while another on
 * another CPU does nothing but restore FPU state, as a kernel does at each context switch.
 *
 * On a processor the two have nothing to do with each other. An emulator may keep what they
 * change in one word (see spares_first_cpu in lab/engine.py): then this ends within a second.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "check.h"

struct restorer {
	int cpu;
	bool done;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check(sched_setaffinity(0, sizeof(set), &set) == 0, "no CPU %d", cpu);
}

/* The first CPU after @cpu that this process may run on. */
static int cpu_after(int cpu)
{
	cpu_set_t set;

	check(sched_getaffinity(0, sizeof(set), &set) == 0, "sched_getaffinity");
	do
		cpu++;
	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &set));
	check(cpu < CPU_SETSIZE, "this takes two CPUs");
	return cpu;
}

static void *restore(void *arg)
{
	static _Alignas(16) unsigned char area[512];
	struct restorer *restorer = arg;

	pin(restorer->cpu);
	__asm__ volatile("fxsave %0" : "=m"(area));
	while (!__atomic_load_n(&restorer->done, __ATOMIC_RELAXED))
		__asm__ volatile("fxrstor %0" : : "m"(area));
	return NULL;
}

int main(int argc, char **argv)
{
	long calls = argc > 1 ? atol(argv[1]) : 20000;
	int cpu = cpu_after(-1);
	struct restorer restorer = { .cpu = cpu_after(cpu) };
	long pid = getpid();
	pthread_t thread;

	check_ok(dbos_init());
	pin(cpu);
	check(pthread_create(&thread, NULL, restore, &restorer) == 0, "pthread_create failed");
	check_ok(dbos_enter());
	for (long i = 0; i < calls; i++)
		check(syscall(SYS_getpid) == pid, "call %ld went wrong", i);
	check_ok(dbos_leave());
	__atomic_store_n(&restorer.done, true, __ATOMIC_RELAXED);
	check(pthread_join(thread, NULL) == 0, "pthread_join failed");
	printf("fpu: ok, %ld system calls beside an FPU at work\n", calls);
	return 0;
}
