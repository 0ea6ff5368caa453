// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_counts: a known number of everything that snapshots count, against what is counted, by
 * dbos_snap_stats() after each step and by `dbos stat` at the end. One line "expected NAME NUMBER"
 * for each counter comes before that; the last line is "snapshot_counts: ok".
 */
#include <sys/mman.h>

#include <dbos/snapshot.h>

#include "blocked.h"
#include "member.h"

#define PAGE  DBOS_PAGE_SIZE
#define PAGES 1024ul		/* two ranges of 2 MiB */
#define RANGE 512ul		/* pages of one */

static struct dbos *dbos;
static char (*pages)[PAGE];
static struct dbos_snap_stats want = { .epoch = 1 };
static uint64_t reborn;

/* What is counted at all times. limbo is looked at where it is known. */
static void compare(const char *step)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
#define FIELD(name) { #name, offsetof(struct dbos_snap_stats, name) }
		FIELD(created), FIELD(released), FIELD(kept), FIELD(tables), FIELD(pages),
		FIELD(splits), FIELD(reused), FIELD(in_flight), FIELD(waited), FIELD(entries),
		FIELD(live), FIELD(epoch), FIELD(oldest), FIELD(faults), FIELD(flushes),
		FIELD(lazy_flushes), FIELD(held), FIELD(waiting), FIELD(resting),
	};
	struct dbos_snap_stats stats;
	uint64_t creations = 0, releases = 0;

	check_ok(dbos_snap_stats(dbos, &stats));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint64_t is = *(uint64_t *)((char *)&stats + fields[i].offset);
		uint64_t should = *(uint64_t *)((char *)&want + fields[i].offset);

		check(is == should, "%s: %s is %lu, not %lu", step, fields[i].name, is, should);
	}
	for (int i = 0; i < DBOS_SNAP_BUCKETS; i++) {
		creations += stats.create_time[i];
		releases += stats.release_time[i];
	}
	check(creations == want.created && releases == want.released,
	      "%s: the times of %lu creations and %lu releases", step, creations, releases);
}

static uint64_t limbo(void)
{
	struct dbos_snap_stats stats;

	check_ok(dbos_snap_stats(dbos, &stats));
	return stats.limbo;
}

/* Each range is an entry of the cut. */
static void count_cut(void)
{
	want.created++;
	want.live++;
	want.lazy_flushes++;
	want.entries += PAGES / RANGE;
	if (!want.oldest)
		want.oldest = want.epoch;
	want.epoch++;
}

static struct dbos_snap *create(unsigned int flags)
{
	struct dbos_snap *snap;

	check_ok(dbos_snap_create(dbos, flags, &snap));
	count_cut();
	return snap;
}

/* @oldest: of those that stay. */
static void release(struct dbos_snap *snap, uint64_t oldest)
{
	check_ok(dbos_snap_release(snap));
	want.released++;
	want.live--;
	want.oldest = oldest;
}

static void write_pages(unsigned long first, unsigned long count)
{
	for (unsigned long i = first; i < first + count; i++)
		pages[i][8]++;
}

/* Pages that are copied: a fault and a flush each, and a snapshot has the old one. */
static void count_copies(uint64_t count)
{
	want.faults += count;
	want.pages += count;
	want.flushes += count;
	want.held += count;
}

/* A table of 2 MiB that is copied in one of these faults. */
static void count_table(void)
{
	want.tables++;
	want.lazy_flushes++;
	want.held++;
}

/* @count faults that only give W back, to so many things in all. */
static void count_reuse(uint64_t count, uint64_t things)
{
	want.faults += count;
	want.reused += things;
}

static void two_snapshots(void)
{
	struct dbos_snap *a = create(0), *b;
	uint64_t before;

	write_pages(0, 10);
	want.splits++;
	count_copies(10);
	compare("a leaf is split");
	write_pages(0, 10);
	compare("pages are written once more");
	b = create(0);
	write_pages(0, 5);
	write_pages(10, 3);
	count_table();
	count_copies(8);
	compare("a table is copied");
	release(a, 2);
	/* The members' own frames of pages 0 to 9. */
	want.held -= 10;
	want.resting += 10;
	compare("the older one is released");
	before = limbo();
	release(b, 0);
	want.held -= 9;
	want.resting += 3;
	compare("both are released");
	/* A table, and the copies of pages 0 to 4 that were made for the first one. */
	check(limbo() - before == 6, "limbo went from %lu to %lu", before, limbo());
}

static void no_snapshot_any_more(void)
{
	write_pages(20, 1);
	count_reuse(1, 1);
	compare("a page that only the process has");
	write_pages(RANGE, 2);
	count_reuse(1, 1);
	compare("a leaf that only the process has");
}

/* The host's write is seen to before it is made: each of its pages counts. */
static void a_system_call(void)
{
	int file = memfd_create("in", 0);
	struct dbos_snap *snap = create(0);

	check(ftruncate(file, 3 * PAGE) == 0, "ftruncate");
	check(pread(file, pages[30], 3 * PAGE, 0) == 3 * PAGE, "pread");
	count_table();
	count_copies(3);
	want.resting -= 3;
	reborn += 3;
	compare("pread");
	release(snap, 0);
	want.held -= 4;
	want.resting += 3;
	compare("behind pread");
	close(file);
}

static void a_snapshot_of_a_snapshot(void)
{
	uint64_t epoch = want.epoch;
	struct dbos_snap *parent = create(0), *child;

	check_ok(dbos_snap_child(parent, 0, &child));
	count_cut();
	release(parent, epoch + 1);
	want.kept++;
	compare("a parent is kept");
	release(child, 0);
	want.kept--;
	compare("parent and child are gone");
}

/* The table is copied at the cut, and not by who writes. */
static void the_other_engine(void)
{
	struct dbos_snap *snap;

	write_pages(40, 1);
	count_reuse(1, 2);
	snap = create(DBOS_SNAP_EPOCH);
	want.entries += RANGE;
	write_pages(0, 1);
	count_copies(1);
	want.resting--;
	reborn++;
	compare("the engine epoch");
	release(snap, 0);
	want.held--;
	compare("behind the engine epoch");
}

static int ends[2];

static void read_three(void)
{
	check(read(ends[0], pages[RANGE + 100], 3 * PAGE) == 3 * PAGE, "read");
}

/* More than the pipe takes. */
static void write_many(void)
{
	check(write(ends[1], pages[RANGE + 200], 32 * PAGE) == 32 * PAGE, "write");
}

static void drain(size_t count)
{
	static char buffer[PAGE];

	for (; count; count -= PAGE)
		check(read(ends[0], buffer, PAGE) == (ssize_t)PAGE, "read");
}

/* What the host writes at the cut is copied for the snapshot; what it reads is not freed. */
static void calls_in_the_host(void)
{
	static char data[3 * PAGE];
	struct dbos_snap *snap;
	pthread_t thread;

	check(pipe(ends) == 0, "pipe");
	write_pages(RANGE, 1);
	count_reuse(1, 1);
	thread = start_blocked(read_three, "pipe_read");
	snap = create(0);
	want.in_flight += 3;
	want.resting -= 3;
	reborn += 3;
	compare("a call writes at the cut");
	check(write(ends[1], data, sizeof(data)) == (ssize_t)sizeof(data), "write");
	pthread_join(thread, NULL);
	release(snap, 0);
	want.resting += 3;
	compare("behind the call that wrote");
	thread = start_blocked(write_many, "pipe_write");
	snap = create(0);
	write_pages(RANGE + 201, 1);
	count_table();
	count_copies(1);
	want.resting--;
	reborn++;
	release(snap, 0);
	want.held -= 2;
	want.waited++;
	want.waiting++;
	compare("a call reads what is free");
	drain(32 * PAGE);
	pthread_join(thread, NULL);
	want.waiting--;
	want.resting++;
	compare("behind the call that read");
}

static void print_expected(void)
{
	const struct {
		const char *name;
		uint64_t number;
	} expected[] = {
		{ "created", want.created }, { "released", want.released },
		{ "live", want.live }, { "branches", want.live + want.kept },
		{ "epoch", want.epoch }, { "oldest-epoch", want.oldest },
		{ "write-faults", want.faults }, { "splits", want.splits },
		{ "tables", want.tables }, { "pages", want.pages }, { "reused", want.reused },
		{ "in-flight", want.in_flight }, { "waited", want.waited },
		{ "reborn", reborn }, { "entries", want.entries },
		{ "flushes", want.flushes }, { "lazy-flushes", want.lazy_flushes },
		{ "held", want.held }, { "resting", want.resting },
		{ "waiting", want.waiting },
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		printf("expected %s %lu\n", expected[i].name, expected[i].number);
	fflush(stdout);
}

/* Two stay, so that what is there now is not nothing. */
static void print_stat(void)
{
	char command[64];

	create(0);
	create(0);
	want.oldest = want.epoch - 2;
	write_pages(7, 1);
	count_table();
	count_copies(1);
	want.resting--;
	reborn++;
	compare("two stay");
	print_expected();
	snprintf(command, sizeof(command), "LD_PRELOAD= /lab/dbos stat %d", getpid());
	check(system(command) == 0, "%s", command);
}

int main(void)
{
	struct dbos_region *region;

	alarm(60);
	pages = enter_with_member(PAGES * PAGE, &region);
	dbos = dbos_instance();
	compare("nothing");
	two_snapshots();
	no_snapshot_any_more();
	a_system_call();
	a_snapshot_of_a_snapshot();
	the_other_engine();
	calls_in_the_host();
	print_stat();
	printf("snapshot_counts: ok\n");
	return 0;
}
