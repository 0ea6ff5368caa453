// SPDX-License-Identifier: BSD-2-Clause
/* System calls, of the process and on snapshots. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "partner.h"
#include "snapshots.h"

static int ends[2];
static uint64_t sent;

/* Each read() brings what is newer than all before: S4. Between two it waits in the host: S7. */
static void receive_stamp(void)
{
	uint64_t (*at)[4] = (void *)&pages[400][100], before = pages[400][100];

	check(read(ends[0], at, sizeof(*at)) == sizeof(*at), "read: %s", strerror(errno));
	check((*at)[0] > before && (*at)[3] == (*at)[0], "read brought %lu, %lu behind %lu",
	      (*at)[0], (*at)[3], before);
	store(pages[401][100], (*at)[0]);
}

static void send_stamp(void)
{
	uint64_t stamp[4] = { ++sent, sent, sent, sent };

	check(write(ends[1], stamp, sizeof(stamp)) == sizeof(stamp), "write");
}

void what_the_host_writes_is_cut_too(void)
{
	check(pipe(ends) == 0, "pipe");
	pages[400][100] = pages[401][100] = sent;
	send_stamp();
	begin_partner(receive_stamp);
	for (uint64_t i = 0; i < rounds; i++) {
		struct dbos_snap *snap = create();
		uint64_t first = word_of(snap, 400, 100), acts = load(partner.acts), seen;

		send_stamp();
		while (load(partner.acts) == acts)
			sched_yield();
		seen = word_of(snap, 401, 100);
		check(word_of(snap, 400, 100) == first, "a snapshot went from %lu to %lu", first,
		      word_of(snap, 400, 100));
		check(first >= seen && first <= sent, "read has returned %lu, cut was %lu", seen,
		      first);
		check_ok(dbos_snap_release(snap));
	}
	store(partner.end, 1);
	send_stamp();
	end_partner();
	close(ends[0]);
	close(ends[1]);
	printf("host: ok\n");
}

/* S5: on the snapshot, by calls of several kinds, over the edge of pages. */
static void *write_out(void *arg)
{
	int file = *(int *)arg;
	struct iovec parts[2] = { { pages[10], PAGE }, { &pages[11][WORDS - 1], PAGE } };

	check(pwrite(file, pages[10], 4 * PAGE, 0) == 4 * (ssize_t)PAGE, "pwrite");
	check(pwritev(file, parts, 2, 4 * PAGE) == 2 * (ssize_t)PAGE, "pwritev");
	check(pread(file, &pages[20][3], PAGE, 0) == (ssize_t)PAGE, "pread: %s", strerror(errno));
	check(pages[20][3] == pages[10][0] && pages[20][2] == 20, "pread left %lu, %lu",
	      pages[20][2], pages[20][3]);
	return NULL;
}

void calls_on_a_snapshot_take_its_bytes(void)
{
	int file = memfd_create("out", 0);
	struct dbos_snap *snap;
	static uint64_t out[6 * WORDS];

	for (unsigned long i = 10; i < 22; i++) {
		for (unsigned long k = 0; k < WORDS; k++)
			pages[i][k] = i;
	}
	snap = create();
	for (unsigned long i = 10; i < 22; i += 2)
		pages[i][0] = pages[i][WORDS - 1] = 77;
	check_ok(dbos_snap_run(snap, write_out, &file, NULL));
	check(pread(file, out, sizeof(out), 0) == sizeof(out), "pread");
	for (unsigned long k = 0; k < 4 * WORDS; k++)
		check(out[k] == 10 + k / WORDS, "word %lu of the file is %lu", k, out[k]);
	check(out[4 * WORDS] == 10 && out[5 * WORDS] == 11 && out[5 * WORDS + 1] == 12, "pwritev");
	check(pages[20][0] == 77 && pages[20][3] == 20, "pread on the snapshot was seen");
	check_ok(dbos_snap_release(snap));
	close(file);
	printf("calls: ok\n");
}

/* S5 the other way: the process's own write() takes what it has, wherever its pages are. */
void the_process_writes_what_it_has(void)
{
	struct dbos_snap *first, *second;
	int file = memfd_create("out", 0);
	uint64_t out[2], before = pages[31][0];

	pages[30][WORDS - 1] = 0;
	first = create();
	pages[30][WORDS - 1] = 1;
	second = create();
	pages[31][0] = 2;
	check(pwrite(file, &pages[30][WORDS - 1], 16, 0) == 16, "pwrite");
	check(pread(file, out, 16, 0) == 16 && out[0] == 1 && out[1] == 2, "it wrote %lu, %lu",
	      out[0], out[1]);
	check(pread(file, &pages[30][WORDS - 1], 16, 0) == 16, "pread: %s", strerror(errno));
	check(word_of(first, 30, WORDS - 1) == 0 && word_of(second, 31, 0) == before,
	      "a snapshot has changed");
	check_ok(dbos_snap_release(first));
	check_ok(dbos_snap_release(second));
	close(file);
	printf("pieces: ok\n");
}

/* All of the member at once, which is 1024 pages for the host by then. */
void a_large_buffer_is_written(void)
{
	static uint64_t stamps[PAGES][WORDS];
	int file = memfd_create("in", 0);
	struct dbos_snap *snap;
	size_t done = 0;

	for (unsigned long i = 0; i < PAGES * WORDS; i++)
		stamps[i / WORDS][i % WORDS] = i;
	check(pwrite(file, stamps, sizeof(stamps), 0) == sizeof(stamps), "pwrite");
	for (unsigned long i = 0; i < PAGES; i++)
		pages[i][WORDS - 1] = 0;
	snap = create();
	while (done < sizeof(stamps)) {
		ssize_t got = pread(file, (char *)pages + done, sizeof(stamps) - done, done);

		check(got > 0, "pread at %zu: %s", done, strerror(errno));
		done += got;
	}
	check(memcmp(pages, stamps, sizeof(stamps)) == 0, "pread brought other bytes");
	for (unsigned long i = 0; i < PAGES; i++)
		check(word_of(snap, i, WORDS - 1) == 0, "page %lu of the snapshot has changed", i);
	check_ok(dbos_snap_release(snap));
	close(file);
	printf("large: ok\n");
}
