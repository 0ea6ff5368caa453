// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz SEED COUNT [INDEX]: runs COUNT programs of this seed from INDEX (0 unless given) on, each in
 * a process of its own, and prints what has happened in them. Ends with 1 at the first that fails,
 * and says how to run it again, in the kernel log too; otherwise the last line is "fuzz: ok".
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define LIMIT_S 30	/* a program takes a few hundredths of a second */

struct tally *tally;

static void start(uint64_t seed, uint64_t index)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	program_run(seed, index);
	_exit(0);
}

/* Waits for the program to end; false if it does not. SIGCHLD is blocked. */
static bool wait_for(pid_t pid, int *status)
{
	const struct timespec limit = { .tv_sec = LIMIT_S };
	sigset_t child;
	pid_t ended;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while ((ended = waitpid(pid, status, WNOHANG)) == 0) {
		if (sigtimedwait(&child, NULL, &limit) < 0 && errno == EAGAIN)
			return false;
	}
	check(ended == pid, "waitpid: %s", strerror(errno));
	return true;
}

static void complain(uint64_t seed, uint64_t index, const char *what)
{
	FILE *log = fopen("/dev/kmsg", "we");

	fprintf(stderr, "fuzz: %s; again: /lab/fuzz %lu 1 %lu\n", what, seed, index);
	if (!log)
		return;
	fprintf(log, "<6>fuzz: %s; again: /lab/fuzz %lu 1 %lu", what, seed, index);
	fclose(log);
}

static bool run(uint64_t seed, uint64_t index)
{
	int status = 0;
	bool ended;
	pid_t pid = fork();

	check(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0)
		start(seed, index);
	ended = wait_for(pid, &status);
	kill(-pid, SIGKILL);
	if (ended && status == 0)
		return true;
	if (!ended)
		complain(seed, index, "does not end");
	else if (WIFSIGNALED(status))
		complain(seed, index, strsignal(WTERMSIG(status)));
	else
		complain(seed, index, "failed");
	return false;
}

static void report(void)
{
	printf("programs: %lu\nchunks: %lu\nruns: %lu\nendless: %lu\nrequests: %lu\nrefused: %lu\n"
	       "interrupts: %lu\ninjected: %lu\nreplaced: %lu\n", tally->programs, tally->chunks,
	       tally->runs, tally->endless, tally->requests, tally->refused, tally->interrupts,
	       tally->injected, tally->replaced);
	for (unsigned int i = 0; i <= DUNE_EXIT_UNKNOWN; i++)
		printf("exit %s: %lu\n", exit_name(i), tally->exits[i]);
	for (unsigned int i = 0; i < 32; i++) {
		if (tally->vectors[i])
			printf("vector %u: %lu\n", i, tally->vectors[i]);
	}
	for (unsigned int i = 0; i < HARDWARE_EXITS; i++) {
		if (tally->hardware[i])
			printf("hardware %s: %lu\n", tally->names[i], tally->hardware[i]);
	}
}

int main(int argc, char **argv)
{
	uint64_t seed, index;
	sigset_t child;

	check(argc == 3 || argc == 4, "usage: fuzz SEED COUNT [INDEX]");
	seed = strtoull(argv[1], NULL, 0);
	index = argc == 4 ? strtoull(argv[3], NULL, 0) : 0;
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	check(tally != MAP_FAILED, "mmap: %s", strerror(errno));
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (uint64_t count = strtoull(argv[2], NULL, 0); count; count--) {
		if (!run(seed, index++))
			return 1;
	}
	report();
	printf("fuzz: ok\n");
	return 0;
}
