// SPDX-License-Identifier: BSD-2-Clause
/*
 * fork [hooked]: forks inside. The child must be an ordinary process that can become privileged on
 * its own; the parent must still be inside, its memory untouched. With "hooked" the call goes
 * through a registered handler, so the child is born deep in our own trap code.
 */
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "check.h"
#include "inside.h"

static void be_the_child(volatile int *shared)
{
	*shared = 2;
	check(current_privilege_level() == 3, "the child is at CPL %u", current_privilege_level());
	check(!dbos_inside(), "the child believes it is inside");
	check(dbos_leave() < 0, "the child can leave what it has not entered");
	check_ok(dbos_init());
	check_ok(dbos_enter());
	check(current_privilege_level() == 0, "the child can't enter");
	*shared = 3;
	check_ok(dbos_leave());
	_exit(7);
}

int main(int argc, char **argv)
{
	volatile int shared = 1;
	bool hooked = argc > 1 && strcmp(argv[1], "hooked") == 0;
	int status;
	pid_t pid;

	check_ok(dbos_init());
	check_ok(dbos_enter());
	if (hooked)
		check_ok(dbos_on_syscall(dbos_instance(), DBOS_ANY, pass_on, NULL));
	pid = fork();
	check(pid >= 0, "fork failed");
	if (pid == 0)
		be_the_child(&shared);
	check(waitpid(pid, &status, 0) == pid, "waitpid failed");
	check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the child ended with status %#x",
	      status);
	check(current_privilege_level() == 0, "the parent fell out of the guest");
	check(shared == 1, "the child's %d is in the parent's memory", shared);
	printf("fork: ok\n");
	return 0;
}
