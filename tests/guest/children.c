// SPDX-License-Identifier: BSD-2-Clause
/*
 * children [hooked] [THREADS]: threads and processes that are made inside and share our memory, by
 * pthread_create, vfork, posix_spawn, system and popen. Each begins outside, the maker stays
 * inside. With "hooked" every call goes through a registered handler: they are made in trap code.
 */
#include <dirent.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "check.h"
#include "inside.h"

#define AT_ONCE 4

static _Thread_local uint64_t own;
static uint64_t sum;

static void *thread(void *arg)
{
	uint64_t number = (uint64_t)arg;

	check(current_privilege_level() == 3, "thread %lu begins at CPL %u", number,
	      current_privilege_level());
	check(!dbos_inside(), "thread %lu believes it is inside", number);
	own = number;
	check_ok(dbos_enter());
	check(current_privilege_level() == 0, "thread %lu can't enter", number);
	check(own == number, "thread %lu sees the data of %lu", number, own);
	__atomic_fetch_add(&sum, own, __ATOMIC_RELAXED);
	/* Half of them end inside. */
	if (number % 2)
		check_ok(dbos_leave());
	return arg;
}

static int descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	check(directory, "no /proc/self/fd");
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void make_threads(uint64_t count)
{
	int before = descriptors(), after, kept = 0;
	struct dbos_caps caps;

	for (uint64_t i = 0; i < count; i += AT_ONCE) {
		pthread_t threads[AT_ONCE];
		void *ret;

		for (uint64_t j = 0; j < AT_ONCE; j++)
			check(pthread_create(&threads[j], NULL, thread, (void *)(i + j)) == 0,
			      "thread %lu was not created", i + j);
		for (uint64_t j = 0; j < AT_ONCE; j++) {
			check(pthread_join(threads[j], &ret) == 0, "join %lu", i + j);
			check(ret == (void *)(i + j), "thread %lu returned %p", i + j, ret);
		}
	}
	check(sum == count * (count - 1) / 2, "the threads add up to %lu", sum);
	after = descriptors();
	/* KVM's vCPUs are kept for the next thread: two descriptors for each that ran at once. */
	check_ok(dbos_caps(dbos_instance(), &caps));
	if (strcmp(caps.backend, "kvm") == 0)
		kept = 2 * AT_ONCE;
	check(after >= before && after <= before + kept, "%d descriptors are left over",
	      after - before);
}

/* Everything is the parent's, the stack too. */
static void make_vfork_child(void)
{
	volatile int shared = 1;
	int status;
	pid_t pid;

	pid = vfork();
	if (pid == 0) {
		shared = current_privilege_level() == 3 ? 2 : 3;
		_exit(7);
	}
	check(pid > 0, "vfork: %d", pid);
	check(shared == 2, "the child left %d", shared);
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %#x", status);
}

static void make_programs(char *self)
{
	char *argv[] = { self, "exit", "9", NULL }, text[32] = "", *env[] = { NULL };
	int status;
	FILE *pipe;
	pid_t pid;

	check(posix_spawn(&pid, self, NULL, NULL, argv, env) == 0, "posix_spawn");
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	check(WIFEXITED(status) && WEXITSTATUS(status) == 9, "status %#x", status);
	status = system("exit 3");
	check(WIFEXITED(status) && WEXITSTATUS(status) == 3, "status %#x", status);
	pipe = popen("echo $((6 * 7))", "r");
	check(pipe && fgets(text, sizeof(text), pipe), "popen");
	check(strcmp(text, "42\n") == 0, "popen: %s", text);
	check(pclose(pipe) == 0, "pclose");
}

int main(int argc, char **argv)
{
	bool hooked = argc > 1 && strcmp(argv[1], "hooked") == 0;

	if (argc > 2 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	check_ok(dbos_init());
	check_ok(dbos_enter());
	if (hooked)
		check_ok(dbos_on_syscall(dbos_instance(), DBOS_ANY, pass_on, NULL));
	make_vfork_child();
	make_programs(argv[0]);
	make_threads(argc > 1 + hooked ? strtoul(argv[1 + hooked], NULL, 10) : 100);
	make_vfork_child();
	check(current_privilege_level() == 0, "the maker of children fell out of the guest");
	printf("children: ok\n");
	return 0;
}
