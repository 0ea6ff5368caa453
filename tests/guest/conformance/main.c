// SPDX-License-Identifier: BSD-2-Clause
/*
 * conformance [--slower N] [CASE...] [--without CASE...]: runs the cases named before --without, or
 * all, but for those named behind it, and prints a line for each. Ends with 0 if every case was run
 * to its end, however that was. Limits of time are N times as long.
 *
 * Each case is a child in a process group of its own, so that one that hangs, with whatever it has
 * started, can be killed. What it writes to stderr is its reason.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

#define LIMIT_MS 20000

static uint64_t slower = 1;

uint64_t limit(uint64_t ms)
{
	return ms * slower * MS;
}

extern const struct conformance_case __start_cases[], __stop_cases[];

static void run_child(const struct conformance_case *this, int out)
{
	setpgid(0, 0);
	dup2(out, STDERR_FILENO);
	close(out);
	setvbuf(stderr, NULL, _IOFBF, BUFSIZ);
	this->run();
	exit(0);
}

/* Its first line of stderr, "" if it said nothing. False: it is still at it after the limit. */
static bool read_reason(int in, char *reason, size_t size)
{
	struct pollfd poll_in = { .fd = in, .events = POLLIN };
	uint64_t end = now_ns() + limit(LIMIT_MS);
	size_t length = 0;
	ssize_t got = 1;

	while (got > 0 && length < size - 1) {
		uint64_t now = now_ns();

		if (now >= end)
			return false;
		if (poll(&poll_in, 1, (end - now) / MS + 1) <= 0)
			continue;
		got = read(in, reason + length, size - 1 - length);
		length += got > 0 ? got : 0;
	}
	reason[length] = '\0';
	reason[strcspn(reason, "\n")] = '\0';
	return true;
}

static void run_case(const struct conformance_case *this)
{
	char reason[512];
	bool ended;
	int status, ends[2];
	pid_t pid;

	check(pipe(ends) == 0, "pipe: %s", strerror(errno));
	pid = fork();
	check(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0) {
		close(ends[0]);
		run_child(this, ends[1]);
	}
	setpgid(pid, pid);
	close(ends[1]);
	ended = read_reason(ends[0], reason, sizeof(reason));
	close(ends[0]);
	if (!ended)
		kill(-pid, SIGKILL);
	check(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
	kill(-pid, SIGKILL);	/* what it left behind */

	printf("%s: ", this->name);
	if (!ended)
		printf("still running after %lu s", limit(LIMIT_MS) / (1000 * MS));
	else if (WIFSIGNALED(status))
		printf("died of signal %d %s", WTERMSIG(status), reason);
	else if (WEXITSTATUS(status) == STATUS_SKIPPED)
		printf("skipped: %s", reason);
	else if (WEXITSTATUS(status) == 0)
		printf("ok%s%s", reason[0] ? ", " : "", reason);
	else
		printf("%s", reason);
	printf("\n");
	fflush(stdout);
}

static bool listed(const struct conformance_case *this, char **names, char **end)
{
	for (; names < end; names++) {
		if (strcmp(this->name, *names) == 0)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	const struct conformance_case *this;
	char **wanted = argv + 1, **end = argv + argc, **without;

	if (argc > 2 && strcmp(argv[1], "--slower") == 0) {
		slower = strtoul(argv[2], NULL, 10);
		check(slower > 0, "--slower %s", argv[2]);
		wanted += 2;
	}
	without = wanted;
	while (without < end && strcmp(*without, "--without") != 0)
		without++;
	for (this = __start_cases; this < __stop_cases; this++) {
		if (wanted < without && !listed(this, wanted, without))
			continue;
		if (!listed(this, without, end))
			run_case(this);
	}
	return 0;
}
