// SPDX-License-Identifier: BSD-2-Clause
/* Memory comes and goes, also while ring 3 runs on another vCPU; and requests without sense. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <dbos/mm.h>
#include <dbos/smp.h>

#include "check.h"
#include "partner.h"
#include "udf/udf.h"

extern char ring3_count[], ring3_returns[];

#define RIGHTS (DBOS_USER_READ | DBOS_USER_WRITE)

static struct dbos_user_stop seen;

/* Without a timer of its own: only what others want interrupts it. */
static void count_in_ring3(void)
{
	static int done;

	if (load(done))
		return;
	store(partner.acts, 1);
	check_ok(dbos_user_run(ground.user, &seen));
	store(done, 1);
}

static void taken_while_it_runs(void)
{
	volatile uint64_t *counter = (uint64_t *)ground.data;
	uint64_t then;

	*counter = 0;
	begin(ring3_count, 0);
	begin_partner(count_in_ring3);
	while (*counter < 1000)
		sched_yield();
	check_ok(dbos_user_revoke(ground.user, ground.data, DBOS_PAGE_SIZE));
	then = *counter;
	usleep(2000);
	check(*counter == then, "counts from %lu to %lu after the page was taken", then, *counter);
	end_partner();
	check(seen.reason == DBOS_USER_FAULT && seen.vector == 14 &&
	      seen.address == (uintptr_t)ground.data, "reason %d, vector %u, address %#lx",
	      seen.reason, seen.vector, seen.address);
	check_ok(dbos_user_grant(ground.user, ground.data, DBOS_PAGE_SIZE, RIGHTS));
}

static void on_signal(int signo)
{
	(void)signo;
	check(dbos_inside(), "the handler is outside");
	check_ok(dbos_user_revoke(ground.user, ground.data, DBOS_PAGE_SIZE));
}

/* Its handler begins in ring 0, and need not wait until ring 3 stops by itself. No timer runs. */
void signals_come_through(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec soon = { .it_value.tv_nsec = 20000000 };
	struct dbos_user_stop stop;
	timer_t timer;

	check(signal(SIGUSR1, on_signal) != SIG_ERR, "signal");
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	begin(ring3_count, 0);
	check(timer_settime(timer, 0, &soon, NULL) == 0, "timer_settime");
	go_on(&stop);
	check(stop.reason == DBOS_USER_FAULT && stop.address == (uintptr_t)ground.data,
	      "reason %d, address %#lx", stop.reason, stop.address);
	timer_delete(timer);
	check_ok(dbos_user_grant(ground.user, ground.data, DBOS_PAGE_SIZE, RIGHTS));
	printf("signals: ok\n");
}

/* Memory that nobody has touched inside, far from all windows. */
static void far_away(void)
{
	char *far = mmap((void *)0x250000000000, DBOS_PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	check(far != MAP_FAILED, "mmap");
	check_ok(dbos_user_grant(ground.user, far, DBOS_PAGE_SIZE, RIGHTS));
	check_ok(dbos_user_revoke(ground.user, far, DBOS_PAGE_SIZE));
	check(munmap(far, DBOS_PAGE_SIZE) == 0, "munmap");
	check(dbos_user_grant(ground.user, (void *)0x260000000000, DBOS_PAGE_SIZE, RIGHTS) ==
	      -EFAULT, "nothing was granted");
}

/* The host's rights count too. */
static void unmapped_by_the_host(void)
{
	struct dbos_user_stop stop;

	check(mprotect(ground.data, DBOS_PAGE_SIZE, PROT_READ) == 0, "mprotect");
	begin(ring3_count, 0);
	go_on(&stop);
	check(stop.reason == DBOS_USER_FAULT && stop.vector == 14 &&
	      stop.error_code & DBOS_FEC_USER && stop.address == (uintptr_t)ground.data,
	      "reason %d, vector %u, address %#lx", stop.reason, stop.vector, stop.address);
	check(mprotect(ground.data, DBOS_PAGE_SIZE, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

void memory_is_taken_back(void)
{
	taken_while_it_runs();
	far_away();
	unmapped_by_the_host();
	printf("grants: ok\n");
}

static void not_canonical(void)
{
	struct dbos_user_regs *regs = dbos_user_regs(ground.user);
	struct dbos_user_stop stop;

	begin(ring3_returns, 0);
	regs->tf.rip = 1ul << 47;
	check_ok(dbos_user_run(ground.user, &stop));
	check(stop.reason == DBOS_USER_FAULT && stop.vector == 13, "RIP: reason %d, vector %u",
	      stop.reason, stop.vector);
	begin(ring3_returns, 0);
	regs->fs_base = 1ul << 47;
	check(dbos_user_run(ground.user, &stop) == -EINVAL, "FS base");
}

/* What a caller might hand on: ring 0's selectors, IOPL, interrupts off. */
static void not_of_ring3(void)
{
	struct dbos_user_regs *regs = dbos_user_regs(ground.user);
	struct dbos_user_stop stop;

	begin(ring3_returns, 1);
	regs->tf.cs = 0x08;
	regs->tf.ss = 0x10;
	regs->tf.rflags = 0x3000;
	go_on(&stop);
	check(stop.reason == DBOS_USER_RETURNED && stop.value == 2, "reason %d", stop.reason);
	check((regs->tf.cs & 3) == 3 && (regs->tf.rflags & 0x3200) == 0x200, "CS %#lx, flags %#lx",
	      regs->tf.cs, regs->tf.rflags);
}

void bad_requests_are_refused(void)
{
	void *const frames = dbos_frame_memory(ground.dbos, dbos_frame_alloc(ground.dbos));
	char *const entry = (char *)__start_dbos_entry;

	check(dbos_user_grant(ground.user, entry, 4096, RIGHTS) == -EINVAL, "entry code");
	check(dbos_user_grant(ground.user, frames, 4096, RIGHTS) == -EINVAL, "page tables");
	check(dbos_user_grant(ground.user, ground.data + 1, 4096, RIGHTS) == -EINVAL, "no page");
	check(dbos_user_grant(ground.user, ground.data, 4095, RIGHTS) == -EINVAL, "no size");
	check(dbos_user_grant(ground.user, (void *)(1ul << 47), 4096, RIGHTS) == -EINVAL, "kernel");
	check(dbos_user_begin(ground.user, ring3_returns, ground.stack + 8, (uint64_t[6]){ 0 }) ==
	      -EINVAL, "stack");
	not_canonical();
	not_of_ring3();
	printf("requests: ok\n");
}
