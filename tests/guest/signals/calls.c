// SPDX-License-Identifier: BSD-2-Clause
/* Signals that come while a system call waits. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "signals.h"

/* What an interrupted call returns, or that it is begun again. The signal comes while it waits. */
struct sender {
	pthread_t thread;
	pid_t target;
	int signo, write_to;
};

static bool sleeps(pid_t tid)
{
	char name[64], line[256] = "";
	int fd, length;

	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", tid);
	fd = open(name, O_RDONLY);
	length = read(fd, line, sizeof(line) - 1);
	close(fd);
	return length > 0 && strstr(line, ") S ");
}

static void *send_when_asleep(void *arg)
{
	struct sender *sender = arg;
	int asleep = 0;

	/* More than once: in a system call a thread may wait for other things for a while. */
	while (asleep < 3) {
		usleep(5000);
		asleep = sleeps(sender->target) ? asleep + 1 : 0;
	}
	syscall(SYS_tgkill, getpid(), sender->target, sender->signo);
	if (sender->write_to >= 0) {
		while (!count)
			usleep(1000);
		usleep(5000);
		check(write(sender->write_to, "x", 1) == 1, "write");
	}
	return NULL;
}

static struct sender sender;

static void start_sender(int signo, int write_to)
{
	sigset_t all, old;

	count = 0;
	sender = (struct sender){ .target = gettid(), .signo = signo, .write_to = write_to };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	check(pthread_create(&sender.thread, NULL, send_when_asleep, &sender) == 0, "thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void end_call(const char *name, long ret)
{
	int error = ret < 0 ? errno : 0;

	pthread_join(sender.thread, NULL);
	saw("%s %ld %d, ", name, ret, error);
	check(count == 1, "%s: %d signals", name, count);
}

void interrupted(void)
{
	struct timespec second = { 100, 0 }, left = { 0 };
	struct pollfd nothing = { .fd = -1 };
	int fds[2];
	sigset_t none;
	char c;

	check(pipe(fds) == 0, "pipe");
	sigemptyset(&none);
	handle(SIGUSR1, on_signal, 0);
	handle(SIGUSR2, on_signal, SA_RESTART);
	start_sender(SIGUSR1, -1);
	end_call("read", read(fds[0], &c, 1));
	start_sender(SIGUSR2, fds[1]);
	end_call("read again", read(fds[0], &c, 1));
	start_sender(SIGUSR2, -1);
	end_call("poll", poll(&nothing, 1, 100000));
	start_sender(SIGUSR2, -1);
	end_call("nanosleep", nanosleep(&second, &left));
	saw("left %d ", left.tv_sec > 90);
	start_sender(SIGUSR2, -1);
	end_call("pause", pause());
	set_mask(SIG_BLOCK, SIGUSR1, SIGUSR2);
	start_sender(SIGUSR1, -1);
	end_call("sigsuspend", sigsuspend(&none));
	raise(SIGUSR2);
	check(count == 1, "blocked, but %d signals", count);
	start_sender(SIGUSR1, -1);
	end_call("ppoll", ppoll(&nothing, 1, &second, &none));
	set_mask(SIG_UNBLOCK, SIGUSR1, SIGUSR2);
	close(fds[0]);
	close(fds[1]);
}
