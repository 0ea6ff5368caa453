// SPDX-License-Identifier: BSD-2-Clause
/*
 * Thirty-odd system calls, each made twice: by an ordinary thread, then by a privileged one
 * through the proxy. What the kernel answers (result and bytes) must be the same. The table holds
 * calls whose answer does not change between the two; errors are answers too.
 *
 * Prints one line "NAME same RESULT" or "NAME DIFFERENT ..." per call and exits 1 if any differs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "check.h"

#define MAX_BYTES 512

/* What one call answered. */
struct answer {
	long result;
	unsigned char bytes[MAX_BYTES];
};

struct entry {
	const char *name;
	void (*call)(struct answer *answer);
};

/* libc's syscall() turns -errno into -1; put it back. */
#define ANSWER(...)                                              \
	do {                                                     \
		long ret = syscall(__VA_ARGS__);                 \
		answer->result = ret < 0 ? -errno : ret;         \
	} while (0)

#define CALL(name) static void call_##name(struct answer *answer)

static char file_name[64];
static int file;

CALL(getpid) { ANSWER(SYS_getpid); }
CALL(getppid) { ANSWER(SYS_getppid); }
CALL(gettid) { ANSWER(SYS_gettid); }
CALL(getuid) { ANSWER(SYS_getuid); }
CALL(getpgid) { ANSWER(SYS_getpgid, 0); }
CALL(getcwd) { ANSWER(SYS_getcwd, answer->bytes, MAX_BYTES); }
CALL(uname) { ANSWER(SYS_uname, answer->bytes); }
CALL(umask) { ANSWER(SYS_umask, 022); }
CALL(getrlimit) { ANSWER(SYS_getrlimit, RLIMIT_NOFILE, answer->bytes); }
CALL(prlimit64) { ANSWER(SYS_prlimit64, 0, RLIMIT_STACK, NULL, answer->bytes); }
CALL(sched_getaffinity) { ANSWER(SYS_sched_getaffinity, 0, MAX_BYTES, answer->bytes); }
CALL(sched_getscheduler) { ANSWER(SYS_sched_getscheduler, 0); }
CALL(clock_getres) { ANSWER(SYS_clock_getres, CLOCK_MONOTONIC, answer->bytes); }
CALL(rt_sigprocmask) { ANSWER(SYS_rt_sigprocmask, SIG_BLOCK, NULL, answer->bytes, 8); }
CALL(rt_sigaction) { ANSWER(SYS_rt_sigaction, SIGINT, NULL, answer->bytes, 8); }
CALL(pread64) { ANSWER(SYS_pread64, file, answer->bytes, 100, 7); }
CALL(pwrite64) { ANSWER(SYS_pwrite64, file, "proxy", 5, 100); }
CALL(lseek) { ANSWER(SYS_lseek, file, 0, SEEK_END); }
CALL(ftruncate) { ANSWER(SYS_ftruncate, file, 200); }
CALL(access) { ANSWER(SYS_access, file_name, R_OK); }
CALL(readlink) { ANSWER(SYS_readlink, "/proc/self/exe", answer->bytes, MAX_BYTES); }
CALL(statfs) { ANSWER(SYS_statfs, "/proc", answer->bytes); }
CALL(fcntl) { ANSWER(SYS_fcntl, file, F_GETFL); }
CALL(sysinfo_fault) { ANSWER(SYS_sysinfo, (void *)8); }
CALL(open_missing) { ANSWER(SYS_open, "/no/such/file", O_RDONLY); }
CALL(close_bad) { ANSWER(SYS_close, 9999); }
CALL(read_bad_address) { ANSWER(SYS_pread64, file, (void *)8, 10, 0); }
CALL(kill_self_0) { ANSWER(SYS_kill, getpid(), 0); }
CALL(unknown_number) { ANSWER(100000); }
CALL(sched_yield) { ANSWER(SYS_sched_yield); }

CALL(fstat)
{
	struct stat st;

	ANSWER(SYS_fstat, file, &st);
	memcpy(answer->bytes, &st.st_mode, sizeof(st.st_mode));
	memcpy(answer->bytes + 8, &st.st_size, sizeof(st.st_size));
}

CALL(readv)
{
	struct iovec parts[3] = {
		{ answer->bytes, 3 }, { answer->bytes + 16, 5 }, { answer->bytes + 32, 90 },
	};

	lseek(file, 0, SEEK_SET);
	ANSWER(SYS_readv, file, parts, 3);
}

CALL(pipe_write_read)
{
	int ends[2];

	check(pipe(ends) == 0, "pipe failed");
	check(write(ends[1], "through a pipe", 14) == 14, "write failed");
	ANSWER(SYS_read, ends[0], answer->bytes, MAX_BYTES);
	close(ends[0]);
	close(ends[1]);
}

CALL(socketpair_send)
{
	int ends[2];

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair failed");
	check(send(ends[0], "datagram", 8, 0) == 8, "send failed");
	ANSWER(SYS_recvfrom, ends[1], answer->bytes, MAX_BYTES, 0, NULL, NULL);
	close(ends[0]);
	close(ends[1]);
}

CALL(poll_timeout)
{
	struct pollfd fd = { .fd = eventfd(0, 0), .events = POLLIN };

	ANSWER(SYS_poll, &fd, 1, 10);
	close(fd.fd);
}

CALL(mmap_file)
{
	void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);

	check(map != MAP_FAILED, "mmap failed");
	memcpy(answer->bytes, map, 64);
	answer->result = munmap(map, 4096);
}

/* The vDSO: no system call, but the kernel's own page mapped into the process. */
CALL(vdso_clock)
{
	struct timespec a, b;

	check(clock_gettime(CLOCK_MONOTONIC, &a) == 0, "clock_gettime failed");
	check(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b) == 0, "SYS_clock_gettime failed");
	answer->result = (b.tv_sec - a.tv_sec) * 1000000000l + (b.tv_nsec - a.tv_nsec) >= 0;
}

/* Six arguments, all of which matter. */
CALL(six_arguments)
{
	size_t size = 3 * 4096;
	char *base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long ret;

	check(base != MAP_FAILED, "mmap failed");
	ret = syscall(SYS_mmap, base + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
	answer->result = ret - (long)base;
	memcpy(answer->bytes, base + 4096, 64);
	munmap(base, size);
}

#define ENTRY(name) { #name, call_##name }

static const struct entry table[] = {
	ENTRY(getpid), ENTRY(getppid), ENTRY(gettid), ENTRY(getuid), ENTRY(getpgid),
	ENTRY(getcwd), ENTRY(uname), ENTRY(umask), ENTRY(getrlimit), ENTRY(prlimit64),
	ENTRY(sched_getaffinity), ENTRY(sched_getscheduler), ENTRY(clock_getres),
	ENTRY(rt_sigprocmask), ENTRY(rt_sigaction), ENTRY(pread64), ENTRY(pwrite64),
	ENTRY(lseek), ENTRY(ftruncate), ENTRY(access), ENTRY(readlink), ENTRY(statfs),
	ENTRY(fcntl), ENTRY(sysinfo_fault), ENTRY(open_missing), ENTRY(close_bad),
	ENTRY(read_bad_address), ENTRY(kill_self_0), ENTRY(unknown_number),
	ENTRY(sched_yield), ENTRY(fstat), ENTRY(readv), ENTRY(pipe_write_read),
	ENTRY(socketpair_send), ENTRY(poll_timeout), ENTRY(mmap_file), ENTRY(vdso_clock),
	ENTRY(six_arguments),
};

#define COUNT (sizeof(table) / sizeof(table[0]))

static struct answer native[COUNT], proxied[COUNT];

static void make_file(void)
{
	snprintf(file_name, sizeof(file_name), "/tmp/syscalls.%d", getpid());
	file = open(file_name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	check(file >= 0, "open %s failed", file_name);
	for (int i = 0; i < 300; i++)
		check(write(file, &i, 1) == 1, "write failed");
	/* The calls that change the file leave it as they find it on the second pass. */
	call_pwrite64(&native[0]);
	call_ftruncate(&native[0]);
	memset(&native[0], 0, sizeof(native[0]));
}

static void make_all(struct answer *answers)
{
	for (size_t i = 0; i < COUNT; i++)
		table[i].call(&answers[i]);
}

int main(void)
{
	struct dbos_vcpu_stats stats;
	int different = 0;

	check_ok(dbos_init());
	make_file();
	make_all(native);
	check_ok(dbos_enter());
	make_all(proxied);
	check_ok(dbos_vcpu_stats(&stats));
	check_ok(dbos_leave());
	unlink(file_name);

	check(stats.syscalls >= COUNT - 2, "only %lu calls went through the proxy", stats.syscalls);
	for (size_t i = 0; i < COUNT; i++) {
		bool same = memcmp(&native[i], &proxied[i], sizeof(native[i])) == 0;

		different += !same;
		printf("%s %s %ld", table[i].name, same ? "same" : "DIFFERENT", proxied[i].result);
		if (!same)
			printf(", natively %ld", native[i].result);
		printf("\n");
	}
	printf("syscalls: %zu compared, %d different, %lu proxied\n", COUNT, different,
	       stats.syscalls);
	return different ? 1 : 0;
}
