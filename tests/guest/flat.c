// SPDX-License-Identifier: BSD-2-Clause
/*
 * flat ENTERS THREADS FORKS: enters and leaves, makes threads that enter and end, and children, so
 * often; then the process has what it had before: descriptors, memory, numbers of vCPUs. A line for
 * each.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/smp.h>

#include "account.h"
#include "check.h"

/* What libc and the kernel keep for the next time is there after so many. */
#define WARM_UP 20
/* Resident pages by which libc's heap may differ. */
#define SLACK 4

static void enter_and_leave(int i)
{
	(void)i;
	check_ok(dbos_enter());
	check(dbos_self() == 0, "vCPU %d", dbos_self());
	check_ok(dbos_leave());
}

static void *thread(void *leaves)
{
	check_ok(dbos_enter());
	check(dbos_self() == 0, "vCPU %d", dbos_self());
	if (leaves)
		check_ok(dbos_leave());
	return NULL;
}

/* Every other one ends inside. */
static void make_thread(int i)
{
	pthread_t made;

	check(pthread_create(&made, NULL, thread, i % 2 ? "" : NULL) == 0, "pthread_create");
	check(pthread_join(made, NULL) == 0, "pthread_join");
}

static void make_child(int i)
{
	pid_t pid;
	int status;

	(void)i;
	check_ok(dbos_enter());
	pid = fork();
	if (pid == 0) {
		/* It begins outside, with nothing of its parent's. */
		check_ok(dbos_init());
		check_ok(dbos_enter());
		_exit(dbos_self() == 0 ? 7 : 1);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid, "no child");
	check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the child's status is %#x", status);
	check_ok(dbos_leave());
}

static void repeat(const char *name, void (*act)(int i), int times)
{
	struct account before, after;

	for (int i = 0; i < WARM_UP; i++)
		act(i);
	before = take_account();
	for (int i = 0; i < times; i++)
		act(i);
	after = take_account();
	check(after.descriptors == before.descriptors && after.pages == before.pages &&
	      after.resident <= before.resident + SLACK,
	      "%s: %ld descriptors, %ld pages, %ld resident; before: %ld, %ld, %ld", name,
	      after.descriptors, after.pages, after.resident, before.descriptors, before.pages,
	      before.resident);
	printf("%s: ok, %d\n", name, times);
}

int main(int argc, char **argv)
{
	check(argc == 4, "flat ENTERS THREADS FORKS");
	setvbuf(stdout, NULL, _IOLBF, 0);
	check_ok(dbos_init());
	repeat("enter", enter_and_leave, atoi(argv[1]));
	repeat("thread", make_thread, atoi(argv[2]));
	repeat("fork", make_child, atoi(argv[3]));
	return 0;
}
