// SPDX-License-Identifier: BSD-2-Clause
/*
 * backends: says what dbos_init() has chosen and what it has refused, then enters and leaves many
 * times: nothing may be left of it.
 */
#include <unistd.h>

#include <dbos/dbos.h>

#include "check.h"
#include "entries.h"

#define ROUNDS 300

static void say(const struct dbos_caps *caps)
{
	for (size_t i = 0; i < caps->refused_count; i++)
		printf("refused %s: %s\n", caps->refused[i].backend, caps->refused[i].why);
	if (caps->backend)
		printf("backend %s/%s, %u bits\n", caps->backend, caps->vendor, caps->gpa_bits);
}

static void enter_and_leave(void)
{
	check_ok(dbos_enter());
	check(getpid() > 0, "getpid");
	check_ok(dbos_leave());
}

int main(void)
{
	int ret = dbos_init(), files, mappings;
	struct dbos_caps caps;

	check_ok(dbos_caps(dbos_instance(), &caps));
	say(&caps);
	fflush(stdout);
	check_ok(ret);
	enter_and_leave();
	files = count_entries("/proc/self/fd");
	mappings = count_entries("/proc/self/map_files");
	for (int i = 0; i < ROUNDS; i++)
		enter_and_leave();
	check(count_entries("/proc/self/fd") == files, "descriptors are left");
	check(count_entries("/proc/self/map_files") == mappings, "mappings are left");
	printf("backends: ok\n");
	return 0;
}
