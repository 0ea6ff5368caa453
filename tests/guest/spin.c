// SPDX-License-Identifier: BSD-2-Clause
/*
 * spin [THREADS]: threads that enter and never come back: interrupts off, no system call, no
 * memory access. Only the host can end them. Prints "spinning" once all are inside.
 */
#include <pthread.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "check.h"

static void *spin(void *arg)
{
	int *inside = arg;

	check_ok(dbos_enter());
	__atomic_fetch_add(inside, 1, __ATOMIC_RELEASE);
	__asm__ volatile("cli\n"
			 "1:	jmp 1b\n");
	return NULL;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 2;
	int inside = 0;

	check_ok(dbos_init());
	for (int i = 0; i < count; i++) {
		pthread_t thread;

		check(pthread_create(&thread, NULL, spin, &inside) == 0, "pthread_create failed");
	}
	while (__atomic_load_n(&inside, __ATOMIC_ACQUIRE) < count)
		usleep(1000);
	printf("spinning\n");
	fflush(stdout);
	for (;;)
		pause();
}
