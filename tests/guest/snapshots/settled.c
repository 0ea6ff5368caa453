// SPDX-License-Identifier: BSD-2-Clause
/* S16: pages come home, and 2 MiB are one leaf of the page table again. */
#include <errno.h>
#include <unistd.h>

#include "partner.h"
#include "snapshots.h"

#define RANGES (PAGES * PAGE / DBOS_HUGE_SIZE)

static uint64_t stamp_of(uint64_t round, unsigned long page)
{
	return round << 32 | page;
}

/* Snapshots in turns, so that a page's frame is free again when another one is copied. */
static void scatter(uint64_t round)
{
	for (unsigned long turn = 0; turn < 3; turn++) {
		struct dbos_snap *snap = create();

		for (unsigned long i = turn; i < PAGES; i += 2 + turn)
			pages[i][17] = 0;
		check_ok(dbos_snap_release(snap));
	}
	for (unsigned long i = 0; i < PAGES; i++)
		pages[i][17] = stamp_of(round, i);
}

static uint64_t expected;

/* A thread outside finds at each address what is there for the host. */
static void *look_from_outside(void *arg)
{
	uint64_t wrong = 0;

	for (unsigned long i = 0; i < PAGES; i++)
		wrong += pages[i][17] != stamp_of(expected, i);
	return arg ? arg : (void *)wrong;
}

static uint64_t wrong_outside(uint64_t round)
{
	pthread_t thread;
	void *wrong;

	expected = round;
	check(pthread_create(&thread, NULL, look_from_outside, NULL) == 0, "pthread_create");
	check(pthread_join(thread, &wrong) == 0, "pthread_join");
	return (uint64_t)wrong;
}

static size_t settle(size_t bytes)
{
	size_t left;

	check_ok(dbos_snap_settle(dbos, bytes, &left));
	return left;
}

static uint64_t splits(void)
{
	struct dbos_snap_stats stats;

	check_ok(dbos_snap_stats(dbos, &stats));
	return stats.splits;
}

static void by_little_and_little(uint64_t round)
{
	uint64_t steps = 0;

	scatter(round);
	check(wrong_outside(round) > 0, "no page has moved");
	while (settle(64 * PAGE))
		check(++steps < 4 * PAGES, "it has no end");
	check(steps > 2, "%lu pages took %lu steps", PAGES, steps);
	check(wrong_outside(round) == 0, "%lu pages are not at home", wrong_outside(round));
	for (unsigned long i = 0; i < PAGES; i++)
		check(pages[i][17] == stamp_of(round, i), "page %lu is %#lx", i, pages[i][17]);
}

/* Each 2 MiB is split by the first write behind the next cut, so it was a leaf. */
static void leaves_are_there(void)
{
	uint64_t before = splits();
	struct dbos_snap *snap = create();

	check(dbos_snap_settle(dbos, PAGE, NULL) == -EBUSY, "settled with a snapshot");
	for (unsigned long i = 0; i < PAGES; i++)
		pages[i][18] = i;
	check(splits() - before == RANGES, "%lu leaves were split", splits() - before);
	check_ok(dbos_snap_release(snap));
}

static int ends[2];
static uint64_t received;

static void receive(void)
{
	check(read(ends[0], &pages[600][30], 8) == 8, "read: %s", strerror(errno));
	store(received, pages[600][30]);
}

/* The page that the partner's read() waits for stays until it has come. */
static void not_under_a_call(void)
{
	struct dbos_snap *snap;
	uint64_t sent = 1;

	check(settle(4 * PAGES * PAGE) == 0, "not all is settled");
	snap = create();
	pages[600][30] = 0;
	check_ok(dbos_snap_release(snap));
	check(pipe(ends) == 0, "pipe");
	check(write(ends[1], &sent, 8) == 8, "write");
	begin_partner(receive);
	usleep(200000);
	check(settle(4 * PAGES * PAGE) == 1, "the page of a call has moved, or more stay");
	sent = 2;
	store(partner.end, 1);
	check(write(ends[1], &sent, 8) == 8, "write");
	end_partner();
	check(received == 2 && pages[600][30] == 2, "the call brought %lu", pages[600][30]);
	check(settle(4 * PAGES * PAGE) == 0, "it stays split");
	close(ends[0]);
	close(ends[1]);
}

void pages_come_home(void)
{
	by_little_and_little(2);
	leaves_are_there();
	not_under_a_call();
	by_little_and_little(3);
	printf("settled: ok\n");
}
