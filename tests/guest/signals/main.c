// SPDX-License-Identifier: BSD-2-Clause
/* Which cases there are. */
#include <unistd.h>
#include <dbos/dbos.h>

#include "inside.h"
#include "signals.h"

static const struct {
	const char *name;
	void (*run)(void);
	bool calls;		/* it is about system calls */
} cases[] = {
	{ "kinds", kinds, false },
	{ "nesting", nesting, true },
	{ "realtime", realtime, false },
	{ "stacks", stacks, true },
	{ "faults", faults, false },
	{ "mending", mending, false },
	{ "waiting", waiting, false },
	{ "jumping", jumping, true },
	{ "changing", changing, true },
	{ "children", children, true },
	{ "interrupted", interrupted, true },
	{ "storm", storm, true },
	{ "threads", threads, false },
	{ "moving", moving, false },
	{ "ending", ending, false },
};

static void run_case(void (*run)(void))
{
	memset(seen, 0, sizeof(seen));
	count = 0;
	run();
	for (int signo = 1; signo < 32; signo++) {
		if (signo != SIGKILL && signo != SIGSTOP)
			signal(signo, SIG_DFL);
	}
}

static void compare(size_t i, const char *how)
{
	char outside[LOG_SIZE];

	run_case(cases[i].run);
	memcpy(outside, seen, LOG_SIZE);
	check_ok(dbos_enter());
	inside = true;
	run_case(cases[i].run);
	inside = false;
	check_ok(dbos_leave());
	if (strcmp(outside, seen) == 0)
		printf("%s%s same\n", cases[i].name, how);
	else
		printf("%s%s DIFFERENT\n\toutside: %s\n\tinside:  %s\n", cases[i].name, how,
		       outside, seen);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(100);
	if (argc > 1 && strcmp(argv[1], "broken") == 0)
		return broken();
	check_ok(dbos_init());
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc < 2 || strcmp(argv[1], cases[i].name) == 0)
			compare(i, "");
	}
	/* Once more with a handler for all system calls in between. */
	check_ok(dbos_on_syscalls(dbos_instance(), 0, UINTPTR_MAX, pass_on, NULL));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc < 2 && cases[i].calls)
			compare(i, "_handled");
	}
	return 0;
}
