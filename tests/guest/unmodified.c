// SPDX-License-Identifier: BSD-2-Clause
/*
 * A program that knows nothing of libdbos. It tells at which privilege level its threads and
 * children are (CPL 0: inside), and ends as it is told to.
 *
 *	unmodified levels		each kind of thread and child once
 *	unmodified many COUNT		so many threads at once
 *	unmodified again COUNT		so many threads one after the other, and children
 *	unmodified closes		all that it has not opened, as a daemon does
 *	unmodified counted CALLS	what `dbos stat` says, thrice; so many calls; again
 *	unmodified wait			for the end of its input
 *	unmodified exit STATUS | kill SIGNAL | level | stack
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "check.h"

extern char **environ;

static long level(void)
{
	unsigned short cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	return cs & 3;
}

static void *level_of_thread(void *arg)
{
	(void)arg;
	return (void *)level();
}

static void *level_at_exit(void *arg)
{
	(void)arg;
	pthread_exit((void *)level());
}

static int level_of_c11_thread(void *arg)
{
	(void)arg;
	return level();
}

static long run_thread(void *(*routine)(void *))
{
	pthread_t thread;
	void *said;

	check(pthread_create(&thread, NULL, routine, NULL) == 0, "pthread_create");
	check(pthread_join(thread, &said) == 0, "pthread_join");
	return (long)said;
}

static int run_c11_thread(void)
{
	thrd_t thread;
	int said;

	check(thrd_create(&thread, level_of_c11_thread, NULL) == thrd_success, "thrd_create");
	check(thrd_join(thread, &said) == thrd_success, "thrd_join");
	return said;
}

static int status_of(pid_t child)
{
	int status;

	check(child > 0 && waitpid(child, &status, 0) == child, "no child");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run_fork(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(level() * 10 + run_thread(level_of_thread));
	return status_of(child);
}

static int run_spawn(void)
{
	char *argv[] = { "unmodified", "level", NULL };
	pid_t child;

	check(posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ) == 0, "spawn");
	return status_of(child);
}

static int run_exec(void)
{
	pid_t child = fork();

	if (child == 0) {
		execl("/proc/self/exe", "unmodified", "level", NULL);
		_exit(99);
	}
	return status_of(child);
}

static void levels(void)
{
	printf("main %ld\n", level());
	printf("thread %ld\n", run_thread(level_of_thread));
	printf("pthread_exit %ld\n", run_thread(level_at_exit));
	printf("C11 thread %d\n", run_c11_thread());
	fflush(stdout);
	printf("fork and its thread %02d\n", run_fork());
	printf("spawn %d\n", run_spawn());
	printf("fork and exec %d\n", run_exec());
}

static pthread_barrier_t all;

static void *level_when_all_are_there(void *arg)
{
	long was = level();

	(void)arg;
	pthread_barrier_wait(&all);
	return (void *)was;
}

static void many(int count)
{
	pthread_t *threads = calloc(count, sizeof(*threads));
	pthread_attr_t attr;
	int inside = 0;
	void *said;

	pthread_barrier_init(&all, NULL, count);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	for (int i = 0; i < count; i++)
		check(pthread_create(&threads[i], &attr, level_when_all_are_there, NULL) == 0,
		      "thread %d", i);
	for (int i = 0; i < count; i++) {
		pthread_join(threads[i], &said);
		inside += said == NULL;
	}
	printf("%d of %d threads inside\n", inside, count);
	free(threads);
}

static size_t descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += lseek(fd, 0, SEEK_CUR) != -1 || errno != EBADF;
	return count;
}

static void again(int count)
{
	size_t before;

	run_thread(level_of_thread);
	before = descriptors();
	for (int i = 0; i < count; i++) {
		check(run_thread(level_of_thread) == 0, "thread %d is outside", i);
		if (i % 10 == 0)
			check(run_fork() == 0, "child %d is outside", i);
	}
	check(descriptors() == before, "%zu descriptors of %zu", descriptors(), before);
	printf("again: ok\n");
}

/* A child has as many as its parent, so none of the parent's; none can be taken from either. */
static void closes(void)
{
	size_t before = descriptors(), after = before;
	pid_t child;

	printf("first %d\n", dup(0));
	child = fork();
	if (child == 0) {
		check(descriptors() == before + 1, "%zu descriptors in the child, not %zu",
		      descriptors(), before + 1);
		closefrom(3);
		_exit(level() * 10 + run_thread(level_of_thread));
	}
	printf("child %02d\n", status_of(child));
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	check(close(3) == -1 && errno == EBADF, "close");
	for (int fd = 3; fd < 1024; fd++)
		after += dup2(0, fd) == fd;
	check(after == 1024, "%zu of 1024", after);
	closefrom(3);
	printf("thread %ld\n", run_thread(level_of_thread));
}

/* Once all calls on the way to it have been made, and there is only its end to be waited for. */
static void print_stat(void)
{
	char command[128];
	int self = getpid();

	snprintf(command, sizeof(command), "until grep -q do_wait /proc/%d/wchan; do :; done; "
		 "LD_PRELOAD= /lab/dbos stat %d", self, self);
	check(system(command) == 0, "%s", command);
}

static void counted(int calls)
{
	/* Two, of one number, which counts for both. */
	run_thread(level_of_thread);
	print_stat();
	run_thread(level_of_thread);
	print_stat();
	print_stat();
	for (int i = 0; i < calls; i++)
		getppid();
	print_stat();
}

/* Of the main thread: what no page is behind yet. */
static long deep(int pages)
{
	volatile char page[4096];

	page[0] = pages;
	return pages ? deep(pages - 1) + page[0] - page[0] : level();
}

int main(int argc, char **argv)
{
	int number = argc > 2 ? atoi(argv[2]) : 0;

	check(argc > 1, "what?");
	if (strcmp(argv[1], "levels") == 0)
		levels();
	else if (strcmp(argv[1], "many") == 0)
		many(number);
	else if (strcmp(argv[1], "again") == 0)
		again(number);
	else if (strcmp(argv[1], "closes") == 0)
		closes();
	else if (strcmp(argv[1], "counted") == 0)
		counted(number);
	else if (strcmp(argv[1], "wait") == 0)
		printf("%d\n", getpid()), fflush(stdout), getchar();
	else if (strcmp(argv[1], "level") == 0)
		return level();
	else if (strcmp(argv[1], "stack") == 0)
		printf("stack %ld\n", deep(1000));
	else if (strcmp(argv[1], "kill") == 0)
		raise(number);
	return strcmp(argv[1], "exit") == 0 ? number : 0;
}
