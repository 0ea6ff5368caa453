// SPDX-License-Identifier: BSD-2-Clause
/*
 * udf: functions in ring 3 that mean ill, under a ring 0 that survives each and reports it. Each
 * step prints its name; the last line is "udf: ok".
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <dbos/mm.h>
#include <dbos/timer.h>

#include "check.h"
#include "udf/udf.h"

#define PERIOD 3000000ul

struct ground ground;

static char *page(size_t count)
{
	char *pages = mmap(NULL, count * DBOS_PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	check(pages != MAP_FAILED, "mmap");
	return pages;
}

static void prepare(void)
{
	struct dbos_user *user;

	check_ok(dbos_user_create(ground.dbos, &user));
	ground.user = user;
	ground.secret = page(1);
	strcpy(ground.secret, "secret");
	ground.data = page(1);
	ground.readonly = page(1);
	ground.stack = page(1 + PAGES_OF_STACK) + DBOS_PAGE_SIZE;
	check_ok(dbos_user_grant(user, hostile_begin, hostile_end - hostile_begin, DBOS_USER_EXEC));
	check_ok(dbos_user_grant(user, ground.data, DBOS_PAGE_SIZE, DBOS_USER_WRITE));
	check_ok(dbos_user_grant(user, ground.readonly, DBOS_PAGE_SIZE, DBOS_USER_READ));
	check_ok(dbos_user_grant(user, ground.stack, PAGES_OF_STACK * DBOS_PAGE_SIZE,
				 DBOS_USER_WRITE));
}

void begin(const void *function, uint64_t r8)
{
	uint64_t arg[6] = {
		(uint64_t)ground.secret, (uint64_t)ground.data, (uint64_t)ground.readonly,
		(uint64_t)__start_dbos_entry, r8,
	};

	check_ok(dbos_user_begin(ground.user, function,
				 ground.stack + PAGES_OF_STACK * DBOS_PAGE_SIZE, arg));
}

unsigned int go_on(struct dbos_user_stop *stop)
{
	unsigned int preempted = 0;

	for (;; preempted++) {
		check_ok(dbos_user_run(ground.user, stop));
		if (stop->reason != DBOS_USER_PREEMPTED)
			return preempted;
	}
}

int main(void)
{
	struct dbos_user_stop stop;

	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(60);
	check_ok(dbos_init());
	ground.dbos = dbos_instance();
	prepare();
	check(dbos_user_run(ground.user, &stop) == -EINVAL, "ran outside");
	check_ok(dbos_enter());
	check_ok(dbos_timer(ground.dbos, PERIOD));
	hostile_code_is_confined();
	registers_stay_apart();
	memory_is_taken_back();
	bad_requests_are_refused();
	check_ok(dbos_timer(ground.dbos, 0));
	signals_come_through();
	check_ok(dbos_leave());
	dbos_user_destroy(ground.user);
	printf("udf: ok\n");
	return 0;
}
