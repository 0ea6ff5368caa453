// SPDX-License-Identifier: BSD-2-Clause
/*
 * SIGKILL at any moment of a process's life with the module. The victim makes a VM, runs it with
 * two threads and ends it, over and over, and notes where it is. The seed decides how long it may
 * live, as a part of the time that the first one needs for two such rounds. There are as many as
 * asked for, and more until each phase has been the last of one.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lifecycle.h"

#define ROUNDS 2

enum phase { STARTING, CREATING, RUNNING, CHANGING, DESTROYING, PHASES };
static const char *const phase_names[] = { "starting", "creating", "running", "changing",
					   "destroying" };

static struct {
	atomic_int phase;
	atomic_ulong rounds;
} *victim;

static void *run_for_ever(void *arg)
{
	machine_run(arg);
	return NULL;
}

static void live(void)
{
	struct machine machine, sibling;
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		victim->phase = CREATING;
		machine_create(&machine);
		machine_add_vcpu(&machine, &sibling);
		victim->phase = RUNNING;
		expect_sum(&machine, 100000);
		load(&sibling, guest_count);
		check(pthread_create(&thread, NULL, run_for_ever, &sibling) == 0, "pthread_create");
		expect_counting(&machine);
		victim->phase = CHANGING;
		for (int i = 0; i < 10; i++) {
			struct dune_slot slot = {
				.slot = 1,
				.gpa = MEMORY_SIZE,
				.size = MEMORY_SIZE,
				.hva = (uint64_t)machine.memory,
			};

			ioctl(machine.vm, DUNE_SET_SLOT, &slot);
			machine_forget(&machine);
			slot.size = 0;
			ioctl(machine.vm, DUNE_SET_SLOT, &slot);
		}
		victim->phase = DESTROYING;
		/* The thread goes when its memory does: it runs into a fault. */
		machine_destroy(&machine, true);
		pthread_join(thread, NULL);
		munmap(sibling.run, GUEST_PAGE);
		close(sibling.vcpu);
		victim->rounds++;
	}
}

static pid_t start(void)
{
	pid_t pid;

	victim->phase = STARTING;
	pid = fork();
	check(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0)
		live();
	return pid;
}

static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL, "it ended with 0x%x", status);
}

/* In microseconds: as long as it lives undisturbed for so many rounds. */
static uint64_t measure_life(void)
{
	uint64_t begun = now_ns();
	pid_t pid = start();

	while (victim->rounds < ROUNDS)
		usleep(1000);
	end(pid);
	return (now_ns() - begun) / 1000;
}

/* But for the first, which is over before there is anything of the module's. */
static bool all_seen(const unsigned long *died)
{
	for (unsigned int i = CREATING; i < PHASES; i++) {
		if (died[i] == 0)
			return false;
	}
	return true;
}

void run_kill(char **arguments)
{
	uint64_t random = strtoull(arguments[0], NULL, 0) * 2 + 1, longest;
	unsigned long count = strtoul(arguments[1], NULL, 0), kills, died[PHASES] = { 0 };

	victim = share(sizeof(*victim));
	longest = measure_life();
	for (kills = 0; kills < count || !all_seen(died); kills++) {
		pid_t pid = start();

		usleep(next_random(&random) % longest);
		end(pid);
		died[victim->phase]++;
	}
	for (unsigned int i = 0; i < PHASES; i++)
		printf("%s: %lu\n", phase_names[i], died[i]);
	printf("kill: ok, %lu, in up to %lu ms\n", kills, longest / 1000);
}
