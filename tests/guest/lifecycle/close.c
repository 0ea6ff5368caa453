// SPDX-License-Identifier: BSD-2-Clause
/*
 * The descriptors go while a thread is in the guest: the VM's, the vCPU's, both, and the run page
 * too. The guest runs on, for whoever is in a request holds the file, and all of it is released by
 * the thread that comes back last.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lifecycle.h"

static atomic_bool stop;

static void on_signal(int signo)
{
	(void)signo;
}

static void *run(void *arg)
{
	struct machine *machine = arg;
	int ret;

	/* Once the descriptor is closed, the first return is the last. */
	do {
		ret = ioctl(machine->vcpu, DUNE_RUN, 0);
	} while (ret == 0 && !stop);
	check(ret == 0 || errno == EBADF, "RUN: %s", strerror(errno));
	return NULL;
}

static void close_under(struct machine *machine, unsigned int which)
{
	if (which & 1)
		close(machine->vm);
	if (which & 2)
		close(machine->vcpu);
	if (which & 4)
		munmap(machine->run, GUEST_PAGE);
}

static void one_close(unsigned int which)
{
	struct machine machine;
	pthread_t thread;

	stop = false;
	machine_create(&machine);
	load(&machine, guest_count);
	check(pthread_create(&thread, NULL, run, &machine) == 0, "pthread_create");
	expect_counting(&machine);
	close_under(&machine, which);
	if (!(which & 2))
		expect_counting(&machine);
	stop = true;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	close_under(&machine, ~which & 7);
	munmap(machine.memory, MEMORY_SIZE);
}

void run_close(char **arguments)
{
	unsigned long count = strtoul(arguments[0], NULL, 0);
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	for (unsigned long i = 0; i < count; i++)
		one_close(i % 8);
	printf("close: ok, %lu\n", count);
}
