// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_soak SECONDS: two vCPUs inside. One writes pages at full speed, by a rule from which
 * follows what each has to be; the other takes a snapshot every millisecond, with one engine after
 * the other, and keeps eight. Each is looked at as a whole when it is new and when it goes: it must
 * be of one moment (S3), with what this vCPU wrote before and nothing that it wrote since (S1), and
 * be what it was. Then
 *
 *	snapshots N, late L		of which L had to wait for the one before
 *	grown P				so many pages more are in use than there were at a tenth
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "engines.h"
#include "member.h"
#include "partner.h"

#define PAGE	 DBOS_PAGE_SIZE
#define PAGES	 1024ul
#define WORDS	 (PAGE / sizeof(uint64_t))
#define KEEP	 8
#define STEP	 389ul		/* odd: the writer comes to every page */
#define INVERSE	 845ul		/* of STEP, among the pages */
#define INTERVAL 1000000ul

_Static_assert(STEP * INVERSE % PAGES == 1, "which is not the inverse");

static struct dbos *dbos;
static uint64_t (*pages)[WORDS];

/* Words of a page that have a meaning. */
enum { STAMP = 17, MINE = 300, PUBLISHED = 511 };

static struct shot {
	struct dbos_snap *snap;
	uint64_t round, stamp, sum;
	bool seen;
} shots[KEEP];

/* Number n goes to page n * STEP; then it is published. */
static void write_next(void)
{
	uint64_t next = pages[0][PUBLISHED] + 1;

	pages[next * STEP % PAGES][STAMP] = next;
	store(pages[0][PUBLISHED], next);
}

/* The last number up to @stamp that went to @page. */
static uint64_t last_at(uint64_t page, uint64_t stamp)
{
	uint64_t first = page * INVERSE % PAGES;

	return stamp < first ? 0 : stamp - (stamp - first) % PAGES;
}

static void *look(void *arg)
{
	struct shot *shot = arg;
	uint64_t stamp = pages[0][PUBLISHED], sum = 0;

	check(!shot->seen || stamp == shot->stamp, "the stamp was %lu and is %lu", shot->stamp,
	      stamp);
	for (uint64_t i = 0; i < PAGES; i++) {
		uint64_t seen = pages[i][STAMP], last = last_at(i, stamp);

		check(seen == last || (seen == stamp + 1 && (stamp + 1) * STEP % PAGES == i),
		      "round %lu: page %lu has %lu, and the stamp is %lu", shot->round, i, seen,
		      stamp);
		sum = (sum + seen) * 31 + pages[i][MINE];
	}
	check(pages[shot->round % PAGES][MINE] == shot->round, "round %lu: %lu is there",
	      shot->round, pages[shot->round % PAGES][MINE]);
	check(!shot->seen || sum == shot->sum, "round %lu: it has changed", shot->round);
	shot->stamp = stamp;
	shot->sum = sum;
	shot->seen = true;
	return NULL;
}

static void release(struct shot *shot)
{
	if (!shot->snap)
		return;
	check_ok(dbos_snap_run(shot->snap, look, shot, NULL));
	check_ok(dbos_snap_release(shot->snap));
	shot->snap = NULL;
}

static void shoot(uint64_t round)
{
	struct shot *shot = &shots[round % KEEP];
	uint64_t *mine = &pages[round % PAGES][MINE];

	release(shot);
	*shot = (struct shot){ .round = round };
	*mine = round;
	check_ok(engine_create(&engines[round / KEEP % ENGINES], dbos, &shot->snap));
	*mine = ~round;
	check_ok(dbos_snap_run(shot->snap, look, shot, NULL));
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ul + time.tv_nsec;
}

/* Whether it was there in time. */
static bool sleep_until(uint64_t at)
{
	struct timespec time = { at / 1000000000ul, at % 1000000000ul };
	int ret;

	if (now() > at)
		return false;
	do
		ret = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
	while (ret == EINTR);
	check(ret == 0, "clock_nanosleep: %s", strerror(ret));
	return true;
}

static void run(uint64_t seconds)
{
	uint64_t begin = now(), end = begin + seconds * 1000000000ul, next = begin;
	uint64_t round = 0, late = 0, first = 0;

	while (now() < end) {
		next += INTERVAL;
		if (!sleep_until(next)) {
			late++;
			next = now();
		}
		shoot(round++);
		if (!first && now() > begin + seconds * 100000000ul)
			first = count_resident();
	}
	for (unsigned int i = 0; i < KEEP; i++)
		release(&shots[i]);
	printf("snapshots %lu, late %lu\ngrown %ld\n", round, late,
	       count_resident() - (long)first);
}

int main(int argc, char **argv)
{
	struct dbos_region *region;
	struct dbos_snap_stats stats;

	check(argc == 2, "snapshot_soak SECONDS");
	setvbuf(stdout, NULL, _IOLBF, 0);
	pages = enter_with_member(PAGES * PAGE, &region);
	dbos = dbos_instance();
	begin_partner(write_next);
	run(strtoul(argv[1], NULL, 0));
	end_partner();
	check_ok(dbos_snap_stats(dbos, &stats));
	check(stats.created == stats.released && !stats.kept, "%lu made, %lu released, %lu kept",
	      stats.created, stats.released, stats.kept);
	check_ok(dbos_leave());
	printf("soak: ok\n");
	return 0;
}
