/* SPDX-License-Identifier: BSD-2-Clause */
/* A second vCPU that waits in the host, in a system call of which it is known that it has begun. */
#ifndef BLOCKED_H
#define BLOCKED_H

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "check.h"

static struct {
	void (*call)(void);
	long tid;
} blocked;

static void *run_blocked(void *arg)
{
	check_ok(dbos_enter());
	__atomic_store_n(&blocked.tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	blocked.call();
	check_ok(dbos_leave());
	return arg;
}

/* Where in the kernel it waits. */
static bool waits_in(const char *what)
{
	char path[64], where[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/wchan",
		 __atomic_load_n(&blocked.tid, __ATOMIC_ACQUIRE));
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(where, sizeof(where), file))
		where[0] = 0;
	fclose(file);
	return strstr(where, what);
}

/* A thread does @call, inside; returns when it waits in a function of the kernel's of that name. */
static pthread_t start_blocked(void (*call)(void), const char *what)
{
	pthread_t thread;

	blocked.call = call;
	blocked.tid = 0;
	check(pthread_create(&thread, NULL, run_blocked, NULL) == 0, "pthread_create");
	while (!waits_in(what))
		sched_yield();
	return thread;
}

#endif /* BLOCKED_H */
