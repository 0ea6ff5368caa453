// SPDX-License-Identifier: BSD-2-Clause
/*
 * Members of 4 KiB pages: two of them in the same 2 MiB, and between them and behind them pages
 * that are none, which the process and all snapshots have in common.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snapshots.h"

#define ROOM (4ul << 20)

/* Pages of it. */
#define FIRST  3ul
#define COMMON 10ul
#define SECOND 11ul
#define END    600ul	/* of the second member, in the next 2 MiB */

static uint64_t (*parts)[WORDS];

static void add(unsigned long first, unsigned long end)
{
	struct dbos_region *region;

	check_ok(dbos_region_adopt(dbos, parts[first], (end - first) * PAGE, DBOS_REGION_WRITABLE,
				   &region));
	check_ok(dbos_snap_add(dbos, region));
}

void parts_become_members(void)
{
	char *room = mmap(NULL, ROOM + (2ul << 20), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(room != MAP_FAILED, "mmap");
	parts = (void *)(((uintptr_t)room + (2ul << 20) - 1) & ~((2ul << 20) - 1));
	add(SECOND, END);
	add(FIRST, COMMON);
}

/* From a pipe: 16 bytes that begin in a common page and end in a member. */
static void host_writes_over_the_border(uint64_t value)
{
	const uint64_t words[2] = { value, value };
	int ends[2];

	check(pipe(ends) == 0, "pipe");
	check(write(ends[1], words, sizeof(words)) == sizeof(words), "write");
	check(read(ends[0], &parts[COMMON][WORDS - 1], sizeof(words)) == sizeof(words), "read");
	close(ends[0]);
	close(ends[1]);
}

static void *on_the_snapshot(void *arg)
{
	check(parts[FIRST][0] == 1 && parts[COMMON - 1][0] == 1 && parts[SECOND][0] == 1 &&
	      parts[END - 1][0] == 1, "a member has changed");
	check(parts[FIRST - 1][0] == 2 && parts[COMMON][0] == 2 && parts[END][0] == 2,
	      "a common page is not what the process has");
	for (unsigned long i = FIRST - 1; i <= END; i++)
		parts[i][1] = 3;
	host_writes_over_the_border(3);
	check(parts[COMMON][WORDS - 1] == 3 && parts[SECOND][0] == 3, "what the host has written");
	return arg;
}

static bool is_common(unsigned long page)
{
	return page == COMMON || page < FIRST || page >= END;
}

void pages_beside_members_are_common(void)
{
	struct dbos_snap *snap;
	uint64_t value;

	for (unsigned long i = FIRST - 1; i <= END; i++)
		parts[i][0] = parts[i][1] = 1;
	snap = create();
	for (unsigned long i = FIRST - 1; i <= END; i++)
		parts[i][0] = 2;
	check_ok(dbos_snap_run(snap, on_the_snapshot, NULL, NULL));
	for (unsigned long i = FIRST - 1; i <= END; i++)
		check(parts[i][0] == 2 && parts[i][1] == (is_common(i) ? 3 : 1),
		      "page %lu is %lu, %lu", i, parts[i][0], parts[i][1]);
	check(parts[COMMON][WORDS - 1] == 3, "what the host has written for the snapshot");
	host_writes_over_the_border(4);
	check(parts[SECOND][0] == 4, "what the host has written for the process");
	check_ok(dbos_snap_read(snap, &parts[SECOND][0], &value, sizeof(value)));
	check(value == 3, "the snapshot has %lu", value);
	check(dbos_snap_read(snap, parts[COMMON], &value, 8) == -EFAULT, "a common page is read");
	check_ok(dbos_snap_release(snap));
	printf("parts: ok\n");
}
