// SPDX-License-Identifier: BSD-2-Clause
/* Calls at the wrong time or place. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inside.h"
#include "misuse.h"

#define THREADS 8

static enum dbos_verdict never(void *arg, struct dbos_tf *tf)
{
	check(false, "a handler of nothing, %p %p", arg, (void *)tf);
	return DBOS_NEXT;
}

void too_early(void)
{
	struct dbos_vcpu_stats stats;

	check(!dbos_instance() && !dbos_inside(), "an instance");
	check(dbos_enter() == -EINVAL, "dbos_enter()");
	check(dbos_leave() == -EINVAL, "dbos_leave()");
	check(dbos_vcpu_stats(&stats) == -EINVAL, "dbos_vcpu_stats()");
	check(dbos_on_intr(NULL, 6, never, NULL) == -EINVAL, "dbos_on_intr()");
	check_ok(dbos_init());
	check(dbos_leave() == -EINVAL, "dbos_leave()");
	check(dbos_vcpu_stats(&stats) == -EINVAL, "dbos_vcpu_stats()");
}

static void *init(void *barrier)
{
	pthread_barrier_wait(barrier);
	check_ok(dbos_init());
	return dbos_instance();
}

/* Who comes second gets the same; who is inside may ask as well. */
void init_again(void)
{
	pthread_t threads[THREADS];
	pthread_barrier_t barrier;
	void *instance;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, init, &barrier) == 0, "pthread_create");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &instance);
		check(instance && instance == dbos_instance(), "another instance");
	}
	check_ok(dbos_enter());
	check_ok(dbos_init());
	check(instance == dbos_instance(), "another instance");
	check(current_privilege_level() == 0, "outside");
	check_ok(dbos_leave());
}

static void stay(void *calls)
{
	check(dbos_leave() == -EINVAL, "dbos_leave()");
	check(dbos_enter() == -EALREADY, "dbos_enter()");
	++*(int *)calls;
}

static enum dbos_verdict stay_in_trap(void *calls, struct dbos_tf *tf)
{
	stay(calls);
	if (tf->num == DBOS_TRAP_SYSCALL)
		return DBOS_NEXT;
	tf->rip += tf->num == 6 ? 2 : 0;
	return DBOS_HANDLED;
}

static enum dbos_verdict stay_in_fault(void *calls, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	stay(calls);
	check(mprotect((void *)(va & -PAGE), PAGE, PROT_READ) == 0, "mprotect");
	(void)fec;
	(void)tf;
	return DBOS_HANDLED;
}

/* Nobody leaves from a handler of any kind, nor twice. */
void wrong_place(void)
{
	char *p = map(PAGE);
	int calls = 0;

	enter();
	check(dbos_enter() == -EALREADY, "dbos_enter()");
	check_ok(dbos_on_intr(dbos_instance(), 6, stay_in_trap, &calls));
	check_ok(dbos_on_fault(dbos_instance(), (uintptr_t)p, (uintptr_t)p + PAGE, stay_in_fault,
			       &calls));
	check_ok(dbos_on_syscall(dbos_instance(), SYS_getppid, stay_in_trap, &calls));
	__asm__ volatile("ud2" : : : "memory");
	mprotect(p, PAGE, PROT_NONE);
	act_read(p);
	check(getppid() > 0, "getppid");
	check(calls == 3, "%d handlers", calls);
	check(current_privilege_level() == 0, "outside");
	check_ok(dbos_leave());
	check(dbos_leave() == -EINVAL, "dbos_leave()");
}

void no_handler(void)
{
	struct dbos *dbos;

	check_ok(dbos_init());
	dbos = dbos_instance();
	check(dbos_on_fault(dbos, 0, PAGE, NULL, NULL) == -EINVAL, "dbos_on_fault()");
	check(dbos_on_intr(dbos, 6, NULL, NULL) == -EINVAL, "dbos_on_intr()");
	check(dbos_on_syscall(dbos, 1, NULL, NULL) == -EINVAL, "dbos_on_syscall()");
	check(dbos_on_intr(dbos, 255, never, NULL) == -EINVAL, "libdbos's own vector");
	check(dbos_on_intr(dbos, -1, never, NULL) == -EINVAL, "vector -1");
}

/* Of a thread that libc knows nothing of: it has the thread-local data of the one that made it. */
static int shared(void *result)
{
	*(volatile int *)result = dbos_enter();
	return 0;
}

void shared_thread(void)
{
	volatile int result = 1;
	char *stack = map(16 * PAGE);

	enter();
	check(clone(shared, stack + 16 * PAGE, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		    CLONE_THREAD | CLONE_SYSVSEM, (void *)&result) > 0, "clone");
	while (result == 1)
		sched_yield();
	check(result == -EALREADY, "dbos_enter(): %d", result);
	check(current_privilege_level() == 0 && dbos_inside(), "outside");
	check_ok(dbos_leave());
}
