// SPDX-License-Identifier: BSD-2-Clause
/*
 * libdbos-run.so: preloaded into a program that knows nothing of libdbos, it makes all of its
 * threads privileged. The main thread enters before main(), behind the constructors of the
 * program's libraries; others enter before their start routine, and leave the guest with their
 * end. The child of fork() gets a virtual machine of its own. That of vfork() or posix_spawn() is
 * an ordinary process until it executes a program, into which the environment carries us.
 *
 * The process that `dbos run` has made must enter or end. Any other one, and a thread, stays
 * outside if it can't: what they do is the same there.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "preload/run.h"

/* The thread that forks was inside; its child has only this to tell it by. */
static _Thread_local bool forked_inside;

static int enter(void)
{
	int ret = dbos_init();

	return ret ? ret : dbos_enter();
}

static void trace(const char *who, int error)
{
	if (getenv("DBOS_TRACE"))
		dprintf(STDERR_FILENO, "dbos: %s of process %d stays outside: %s\n", who,
			(int)getpid(), strerror(-error));
}

static void before_fork(void)
{
	forked_inside = dbos_inside();
}

/* Registered behind dbos_init()'s, so it runs behind it: there is no instance any more. */
static void after_fork_in_child(void)
{
	int ret = forked_inside ? enter() : 0;

	if (ret)
		trace("the main thread", ret);
}

static bool is_first(void)
{
	const char *pid = getenv(DBOS_RUN_VARIABLE);

	return pid && strtol(pid, NULL, 10) == getpid();
}

__attribute__((constructor)) static void enter_main_thread(void)
{
	int ret = dbos_init();

	if (!ret) {
		pthread_atfork(before_fork, NULL, after_fork_in_child);
		ret = dbos_enter();
	}
	if (!ret)
		return;
	if (is_first()) {
		dprintf(STDERR_FILENO, "dbos: the program can't be made privileged: %s\n",
			strerror(-ret));
		_exit(DBOS_RUN_NO_HYPERVISOR);
	}
	trace("the main thread", ret);
}

/* What a new thread is to do once it is inside. */
struct start {
	void *(*routine)(void *arg);
	int (*c11_routine)(void *arg);
	void *arg;
};

static void *thread_main(void *arg)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;
	struct start start = *(struct start *)arg;
	int ret;

	free(arg);
	/* Only in a process that is privileged. */
	ret = dbos_instance() ? dbos_enter() : 0;
	if (ret && !atomic_flag_test_and_set(&told))
		trace("a thread", ret);
	if (start.c11_routine)
		return (void *)(long)start.c11_routine(start.arg);
	return start.routine(start.arg);
}

static struct start *new_start(struct start start)
{
	struct start *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = start;
	return copy;
}

/* The function that ours stands before. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*routine)(void *),
		   void *arg)
{
	struct start *start = new_start((struct start){ .routine = routine, .arg = arg });
	int ret;

	if (!start)
		return EAGAIN;
	ret = NEXT(pthread_create)(thread, attr, thread_main, start);
	if (ret)
		free(start);
	return ret;
}

static int c11_thread_main(void *arg)
{
	return (int)(long)thread_main(arg);
}

int thrd_create(thrd_t *thread, thrd_start_t routine, void *arg)
{
	struct start *start = new_start((struct start){ .c11_routine = routine, .arg = arg });
	int ret;

	if (!start)
		return thrd_nomem;
	ret = NEXT(thrd_create)(thread, c11_thread_main, start);
	if (ret != thrd_success)
		free(start);
	return ret;
}
