// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <mqueue.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <utime.h>

#include "sys/syscalls.h"

/* Bytes of what the table names: of the kernel, where libc has a structure of its own. */
enum {
	SIZE_byte = 1,
	SIZE_int = 4,
	SIZE_long = 8,
	SIZE_two_ints = 8,
	SIZE_two_longs = 16,
	SIZE_two_times = 2 * sizeof(struct timespec),
	SIZE_cachestat = 40,
	SIZE_cap_data = _LINUX_CAPABILITY_U32S_3 * sizeof(struct __user_cap_data_struct),
	SIZE_cap_header = sizeof(struct __user_cap_header_struct),
	SIZE_epoll_event = sizeof(struct epoll_event),
	SIZE_futex_waitv = 24,
	SIZE_two_waiters = 48,
	SIZE_io_event = sizeof(struct io_event),
	SIZE_iocb = sizeof(struct iocb),
	SIZE_iovec = sizeof(struct iovec),
	SIZE_itimerspec = sizeof(struct itimerspec),
	SIZE_itimerval = sizeof(struct itimerval),
	SIZE_mq_attr = sizeof(struct mq_attr),
	SIZE_pollfd = sizeof(struct pollfd),
	SIZE_rlimit = sizeof(struct rlimit),
	SIZE_rusage = 144,
	SIZE_sembuf = sizeof(struct sembuf),
	SIZE_sigaction = 32,
	SIZE_sigevent = sizeof(struct sigevent),
	SIZE_siginfo = sizeof(siginfo_t),
	SIZE_stack = sizeof(stack_t),
	SIZE_stat = sizeof(struct stat),
	SIZE_statfs = sizeof(struct statfs),
	SIZE_statx = 256,
	SIZE_sysinfo = sizeof(struct sysinfo),
	SIZE_timespec = sizeof(struct timespec),
	SIZE_timeval = sizeof(struct timeval),
	SIZE_timex = sizeof(struct timex),
	SIZE_tms = sizeof(struct tms),
	SIZE_uring_params = sizeof(struct io_uring_params),
	SIZE_ustat = 32,
	SIZE_utimbuf = sizeof(struct utimbuf),
	SIZE_utsname = 390,
};

#define V    { .kind = ARGUMENT_VALUE }
#define ADDR { .kind = ARGUMENT_ADDRESS }
#define ANY  { .kind = ARGUMENT_ANY, .in = true, .out = true }
#define STR  { .kind = ARGUMENT_STRING, .in = true }
#define STRS { .kind = ARGUMENT_STRINGS, .in = true }

#define FIXED(what, ...) { .kind = ARGUMENT_MEMORY, .unit = SIZE_##what, __VA_ARGS__ }
#define IN(what)  FIXED(what, .in = true)
#define OUT(what) FIXED(what, .out = true)
#define IO(what)  FIXED(what, .in = true, .out = true)

#define IN_N(n, what)  FIXED(what, .counted = true, .count = (n), .in = true)
#define OUT_N(n, what) FIXED(what, .counted = true, .count = (n), .out = true)
#define IO_N(n, what)  FIXED(what, .counted = true, .count = (n), .in = true, .out = true)

#define OUT_AT(n)  { .kind = ARGUMENT_MEMORY_AT, .count = (n), .out = true }
#define BITS(n)	   { .kind = ARGUMENT_BITS, .count = (n), .in = true, .out = true }
#define IOV_IN(n)  { .kind = ARGUMENT_IOVEC, .count = (n), .in = true }
#define IOV_OUT(n) { .kind = ARGUMENT_IOVEC, .count = (n), .out = true }
#define MSG	   { .kind = ARGUMENT_MESSAGE, .in = true, .out = true }
#define MMSG(n)	   { .kind = ARGUMENT_MESSAGES, .count = (n), .in = true, .out = true }

#define CALL(number, called, how, ...) \
	[number] = { .name = #called, .class = SYSCALL_##how, .arguments = { __VA_ARGS__ } },

static const struct syscall_info calls[] = {
#include "sys/syscalls.def"
};

const struct syscall_info *syscall_find(uint64_t number)
{
	if (number >= sizeof(calls) / sizeof(calls[0]) || !calls[number].name)
		return NULL;
	return &calls[number];
}
