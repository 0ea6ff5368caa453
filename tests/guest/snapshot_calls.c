// SPDX-License-Identifier: BSD-2-Clause
/*
 * snapshot_calls: messages and futexes on memory that snapshots are made of (S4, S5). Each step
 * prints its name; the last line is "snapshot_calls: ok".
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/socket.h>

#include <dbos/snapshot.h>

#include "blocked.h"
#include "member.h"

#define PAGE  DBOS_PAGE_SIZE
#define PAGES 512ul
#define WORDS (PAGE / sizeof(uint64_t))

#define CALL_FUTEX_WAITV 449

static struct dbos *dbos;
static uint64_t (*pages)[WORDS];
static uint32_t *word;		/* of page 7 */
static int pair[2];
static struct dbos_snap *snap;

static struct dbos_snap *create(void)
{
	struct dbos_snap *created;

	check_ok(dbos_snap_create(dbos, 0, &created));
	return created;
}

static uint64_t word_of(struct dbos_snap *of, unsigned long page, unsigned long i)
{
	uint64_t value;

	check_ok(dbos_snap_read(of, &pages[page][i], &value, sizeof(value)));
	return value;
}

/* Over the edge of pages 20 and 21, into 22. */
static struct msghdr message(void)
{
	static struct iovec parts[2];

	parts[0] = (struct iovec){ &pages[20][WORDS - 1], 16 };
	parts[1] = (struct iovec){ &pages[22][5], 8 };
	return (struct msghdr){ .msg_iov = parts, .msg_iovlen = 2 };
}

static void receive(void)
{
	struct msghdr in = message();

	check(recvmsg(pair[0], &in, MSG_WAITALL) == 24, "recvmsg: %s", strerror(errno));
}

static void set_words(uint64_t value)
{
	pages[20][WORDS - 1] = value;
	pages[21][0] = value + 1;
	pages[22][5] = value + 2;
}

static void check_words(struct dbos_snap *of, uint64_t value)
{
	check(word_of(of, 20, WORDS - 1) == value && word_of(of, 21, 0) == value + 1 &&
	      word_of(of, 22, 5) == value + 2, "the snapshot shows %lu, %lu, %lu, not %lu",
	      word_of(of, 20, WORDS - 1), word_of(of, 21, 0), word_of(of, 22, 5), value);
}

/* The call has begun at the cut, and writes behind it: S4. */
static void a_message_is_cut_too(void)
{
	uint64_t sent[3] = { 100, 200, 300 };
	struct dbos_snap_stats stats;
	struct dbos_snap *before, *during;
	pthread_t thread;

	set_words(1);
	before = create();
	set_words(2);
	thread = start_blocked(receive, "unix_stream");
	during = create();
	check_ok(dbos_snap_stats(dbos, &stats));
	check(stats.in_flight == 3, "%lu pages are kept", stats.in_flight);
	check(write(pair[1], sent, sizeof(sent)) == sizeof(sent), "write");
	pthread_join(thread, NULL);
	check(pages[20][WORDS - 1] == 100 && pages[21][0] == 200 && pages[22][5] == 300,
	      "%lu, %lu, %lu were received", pages[20][WORDS - 1], pages[21][0], pages[22][5]);
	check_words(before, 1);
	check_words(during, 2);
	check_ok(dbos_snap_release(before));
	check_ok(dbos_snap_release(during));
	printf("received: ok\n");
}

static void *send_words(void *arg)
{
	struct msghdr out = message();

	check(sendmsg(pair[1], &out, 0) == 24, "sendmsg: %s", strerror(errno));
	return arg;
}

/* S5 */
static void a_message_is_of_the_snapshot(void)
{
	uint64_t got[3];

	set_words(10);
	snap = create();
	set_words(20);
	check_ok(dbos_snap_run(snap, send_words, NULL, NULL));
	send_words(NULL);
	for (uint64_t value = 10; value <= 20; value += 10) {
		check(read(pair[0], got, sizeof(got)) == sizeof(got), "read");
		check(got[0] == value && got[1] == value + 1 && got[2] == value + 2,
		      "%lu, %lu, %lu were sent, not %lu", got[0], got[1], got[2], value);
	}
	check_ok(dbos_snap_release(snap));
	printf("sent: ok\n");
}

static void wait_on_word(void)
{
	check(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0, "futex: %s",
	      strerror(errno));
}

static void *wait_there(void *arg)
{
	wait_on_word();
	return arg;
}

static void wait_on_snapshot(void)
{
	check_ok(dbos_snap_run(snap, wait_there, NULL, NULL));
}

static void *wake(void *arg)
{
	*(long *)arg = syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return NULL;
}

/* Snapshots come, the page is written behind each, and who waits on it is found. */
static void a_waiter_is_found_behind_cuts(void)
{
	struct dbos_snap *one, *two;
	pthread_t thread;
	long woken;

	*word = 0;
	one = create();
	thread = start_blocked(wait_on_word, "futex");
	two = create();
	word[1]++;
	*word = 1;
	wake(&woken);
	check(woken == 1, "%ld were woken", woken);
	pthread_join(thread, NULL);
	check(word_of(one, 7, 0) == 0 && word_of(two, 7, 0) == 0, "a snapshot has changed");
	check_ok(dbos_snap_release(one));
	check_ok(dbos_snap_release(two));
	printf("woken: ok\n");
}

/* The same address is another futex there. */
static void a_snapshot_has_futexes_of_its_own(void)
{
	pthread_t thread;
	long woken;

	*word = word[1] = 0;
	snap = create();
	thread = start_blocked(wait_on_snapshot, "futex");
	wake(&woken);
	check(woken == 0, "%ld were woken from elsewhere", woken);
	check_ok(dbos_snap_run(snap, wake, &woken, NULL));
	check(woken == 1, "%ld were woken", woken);
	pthread_join(thread, NULL);
	check_ok(dbos_snap_release(snap));
	printf("apart: ok\n");
}

static void what_cannot_be_followed_is_refused(void)
{
	static uint32_t plain[2];
	struct { uint64_t value, address; uint32_t flags, reserved; } list = {
		0, (uint64_t)word, 2 | 128, 0,
	};

	check(syscall(SYS_futex, plain, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, word, 0) == -1 &&
	      errno == EOPNOTSUPP, "requeue: %s", strerror(errno));
	check(syscall(CALL_FUTEX_WAITV, &list, 1, 0, NULL, 0) == -1 && errno == EOPNOTSUPP,
	      "futex_waitv: %s", strerror(errno));
	check(syscall(SYS_futex, plain, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, plain + 1, 0) == 0,
	      "requeue of other memory: %s", strerror(errno));
	printf("refused: ok\n");
}

int main(void)
{
	struct dbos_region *region;

	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(60);
	pages = enter_with_member(PAGES * PAGE, &region);
	dbos = dbos_instance();
	word = (uint32_t *)pages[7];
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	a_message_is_cut_too();
	a_message_is_of_the_snapshot();
	a_waiter_is_found_behind_cuts();
	a_snapshot_has_futexes_of_its_own();
	what_cannot_be_followed_is_refused();
	check_ok(dbos_leave());
	printf("snapshot_calls: ok\n");
	return 0;
}
