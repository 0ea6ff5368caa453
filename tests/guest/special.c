// SPDX-License-Identifier: BSD-2-Clause
/*
 * special CASE: system calls made inside that are more than a question to the host, one per run.
 * Each says "special: CASE ok", or ends as the case wants.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "check.h"
#include "inside.h"

#define BASE 0x123456789000ull

/* Without libc, which needs FS. */
static long raw_call(long nr, long a, long b)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return ret;
}

static void exec_inside(char *self)
{
	execl(self, self, "executed", NULL);
	check(false, "execve: %s", strerror(errno));
}

static void executed(void)
{
	check(current_privilege_level() == 3 && !dbos_inside(), "a new program begins inside");
	check_ok(dbos_enter());
}

static void *wait_inside(void *ready)
{
	check_ok(dbos_enter());
	__atomic_fetch_add((int *)ready, 1, __ATOMIC_SEQ_CST);
	for (;;)
		sched_yield();
	return NULL;
}

static void exit_group_from_a_thread(void)
{
	pthread_t thread;
	int ready = 0;

	for (int i = 0; i < 3; i++)
		check(pthread_create(&thread, NULL, wait_inside, &ready) == 0, "pthread_create");
	while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 3)
		sched_yield();
	printf("special: exit_group ok\n");
	fflush(stdout);
	syscall(SYS_exit_group, 42);
}

static uint64_t gs_base(void)
{
	uint64_t base = 0;

	check(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0, "ARCH_GET_GS");
	return base;
}

static uint64_t read_gs_word(void)
{
	uint64_t word;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(word));
	return word;
}

static void set_bases(void)
{
	static uint64_t here = 0x1111, there = 0x2222;

	check(syscall(SYS_arch_prctl, ARCH_SET_GS, &here) == 0, "ARCH_SET_GS");
	check(read_gs_word() == 0x1111, "the guest's GS is not what was set");
	check_ok(dbos_leave());
	check(gs_base() == (uint64_t)&here && read_gs_word() == 0x1111, "the thread's GS is not");
	check_ok(dbos_enter());
	check(read_gs_word() == 0x1111, "GS is lost on the way in");
	/* As at CPL 0 a kernel does: nobody is asked. */
	__asm__ volatile("wrgsbase %0" : : "r"(&there));
	check(gs_base() == (uint64_t)&there, "ARCH_GET_GS says %#lx", gs_base());
	check_ok(dbos_leave());
	check(gs_base() == (uint64_t)&there && read_gs_word() == 0x2222,
	      "WRGSBASE is not carried back");
	check_ok(dbos_enter());
}

static void set_fs(void)
{
	uint64_t own, seen = 0;

	__asm__ volatile("rdfsbase %0" : "=r"(own));
	__asm__ volatile("wrfsbase %0" : : "r"(BASE));
	raw_call(SYS_arch_prctl, ARCH_GET_FS, (long)&seen);
	raw_call(SYS_arch_prctl, ARCH_SET_FS, own);
	check(seen == BASE, "ARCH_GET_FS says %#lx", seen);
	__asm__ volatile("rdfsbase %0" : "=r"(seen));
	check(seen == own, "ARCH_SET_FS left %#lx", seen);
}

static void refused(void)
{
	struct clone_args args = { .exit_signal = 17 };
	char area[32] __attribute__((aligned(32))) = "";

	check(syscall(SYS_clone3, &args, sizeof(args)) == -1 && errno == ENOSYS, "clone3");
	check(syscall(SYS_rseq, area, 32, 0, 0x53053053) == -1 && errno == ENOSYS, "rseq");
	/* What libc had registered outside goes on to be kept by the kernel. */
	check(sched_getcpu() >= 0, "sched_getcpu");
}

static void *wake(void *word)
{
	check(!dbos_inside(), "a new thread is inside");
	__atomic_store_n((uint32_t *)word, 1, __ATOMIC_SEQ_CST);
	while (syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0)
		sched_yield();
	while (__atomic_load_n((uint32_t *)word, __ATOMIC_SEQ_CST) == 1)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	return NULL;
}

/* One thread inside, one outside: each waits for the other. */
static void futex(void)
{
	static uint32_t word;
	pthread_t thread;

	check(pthread_create(&thread, NULL, wake, &word) == 0, "pthread_create");
	while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
	check(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0) == 0, "FUTEX_WAIT");
	__atomic_store_n(&word, 2, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	check(pthread_join(thread, NULL) == 0, "pthread_join");
}

/* One request that does nothing, through rings that host and guest share. */
static void io_uring(void)
{
	struct io_uring_params p = { 0 };
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqe;
	char *sq, *cq;
	int fd = syscall(SYS_io_uring_setup, 4, &p);

	check(fd >= 0, "io_uring_setup: %s", strerror(errno));
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*cqe), PROT_READ | PROT_WRITE,
		  MAP_SHARED, fd, IORING_OFF_CQ_RING);
	sqes = mmap(NULL, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    IORING_OFF_SQES);
	check(sq != MAP_FAILED && cq != MAP_FAILED && sqes != MAP_FAILED, "mmap of the rings");
	sqes[0] = (struct io_uring_sqe){ .opcode = IORING_OP_NOP, .user_data = 77 };
	((uint32_t *)(sq + p.sq_off.array))[0] = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	check(syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1,
	      "io_uring_enter: %s", strerror(errno));
	check(__atomic_load_n((uint32_t *)(cq + p.cq_off.tail), __ATOMIC_ACQUIRE) == 1,
	      "nothing was completed");
	cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	check(cqe->user_data == 77 && cqe->res == 0, "completed: %llu, %d", cqe->user_data,
	      cqe->res);
}

static void unknown(void)
{
	struct dbos_unknown_syscall calls[2];

	check(dbos_unknown_syscalls(dbos_instance(), calls, 2) == 0, "unknown already");
	for (int i = 0; i < 3; i++)
		check(syscall(100000) == -1 && errno == ENOSYS, "100000");
	check(syscall(400) == -1 && errno == ENOSYS, "400");
	check(dbos_unknown_syscalls(dbos_instance(), calls, 1) == 2, "not two numbers");
	check(dbos_unknown_syscalls(dbos_instance(), calls, 2) == 2, "not two numbers");
	check(calls[0].number == 100000 && calls[0].count == 3, "%lu, %lu times", calls[0].number,
	      calls[0].count);
	check(calls[1].number == 400 && calls[1].count == 1, "%lu, %lu times", calls[1].number,
	      calls[1].count);
}

static enum dbos_verdict answer(void *arg, struct dbos_tf *tf)
{
	tf->rax = (uint64_t)arg;
	return DBOS_HANDLED;
}

/* dup3(a, b, ...) is made dup3(a, b + 1, ...), and getppid goes to the next. */
static enum dbos_verdict change(void *arg, struct dbos_tf *tf)
{
	++*(unsigned int *)arg;
	if (tf->rax == SYS_dup3)
		tf->rsi++;
	return DBOS_NEXT;
}

static void handlers(void)
{
	struct dbos *dbos = dbos_instance();
	unsigned int asked = 0;

	check(dbos_on_syscalls(dbos, 5, 4, answer, NULL) == -EINVAL, "an empty range");
	check(dbos_on_syscalls(dbos, 4, 5, NULL, NULL) == -EINVAL, "no handler");
	check_ok(dbos_on_syscalls(dbos, 2000, 2010, answer, (void *)5));
	check_ok(dbos_on_syscall(dbos, SYS_getppid, answer, (void *)6));
	check_ok(dbos_on_syscalls(dbos, SYS_getppid, SYS_dup3, change, &asked));
	check(syscall(2000) == 5 && syscall(2010) == 5, "the ends of the range");
	check(syscall(1999) == -1 && syscall(2011) == -1, "beyond the range");
	check(asked == 0, "asked for what is not in its range");
	check(syscall(SYS_getppid) == 6 && asked == 1, "the next in the chain");
	check(syscall(SYS_dup3, 1, 200, 0) == 201 && asked == 2, "dup3: %s", strerror(errno));
	check(syscall(SYS_getpid) == getpid(), "getpid");
}

static const struct special {
	const char *name;
	void (*run)(void);
} table[] = {
	{ "executed", executed }, { "exit_group", exit_group_from_a_thread },
	{ "bases", set_bases }, { "fs", set_fs }, { "refused", refused }, { "futex", futex },
	{ "io_uring", io_uring }, { "unknown", unknown }, { "handlers", handlers },
};

int main(int argc, char **argv)
{
	check(argc == 2, "special CASE");
	check_ok(dbos_init());
	if (strcmp(argv[1], "executed") != 0)
		check_ok(dbos_enter());
	if (strcmp(argv[1], "execve") == 0)
		exec_inside(argv[0]);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].name, argv[1]) != 0)
			continue;
		table[i].run();
		printf("special: %s ok\n", argv[1]);
		return 0;
	}
	check(false, "no case %s", argv[1]);
}
