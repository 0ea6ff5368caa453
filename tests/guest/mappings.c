// SPDX-License-Identifier: BSD-2-Clause
/*
 * mappings [ROUNDS]: what becomes of the process's mappings is the same inside as outside, whoever
 * changes them: the vCPU itself, or a thread that is outside. Each case is done outside and inside,
 * and what it sees compared. Each prints its name; the last line is "mappings: ok".
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "changes.h"
#include "compared.h"
#include "partner.h"

#define PAGE DBOS_PAGE_SIZE
#define GIB  (1ul << 30)

/* Far from everything that the kernel places, and 1 TiB apart. */
#define FAR(i) ((char *)(0x200000000000ul + (i) * 1024 * GIB))

static uint64_t rounds = 200;

static void look(const volatile char *p)
{
	see("%d ", peek(p));
}

static void touch(volatile char *p, int value)
{
	see("%s ", poke(p, value) ? "w" : "-");
}

static void protections(void)
{
	static const int all[] = {
		PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE, PROT_NONE, PROT_READ,
	};
	char *p = map(NULL, 3 * PAGE);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		touch(p + PAGE, i + 1);
		protect(p + PAGE, PAGE, all[i]);
		look(p + PAGE);
		touch(p + PAGE, i + 100);
		touch(p, i);
		look(p + 2 * PAGE);
	}
	unmap(p, 3 * PAGE);
	look(p + 2 * PAGE);
}

static void replaced(void)
{
	char *p = map(NULL, 4 * PAGE);

	for (int i = 0; i < 4; i++)
		touch(p + i * PAGE, i + 1);
	unmap(p + PAGE, PAGE);
	look(p + PAGE);
	map(p + 2 * PAGE, PAGE);
	look(p + 2 * PAGE);
	change((struct change){ DISCARD, p + 3 * PAGE, .size = PAGE });
	look(p + 3 * PAGE);
	map(p + PAGE, PAGE);
	for (int i = 0; i < 4; i++)
		look(p + i * PAGE);
	unmap(p, 4 * PAGE);
}

/* Of memory in use, to the neighbourhood and far away, and back. */
static void moved(void)
{
	char *p = map(NULL, 2 * PAGE), *free_place = map(NULL, 2 * PAGE);

	touch(p, 11);
	touch(p + PAGE, 12);
	change((struct change){ MOVE, p, free_place, .size = 2 * PAGE });
	look(p);
	look(free_place);
	touch(free_place + PAGE, 13);
	change((struct change){ MOVE, free_place, FAR(9), .size = 2 * PAGE });
	look(free_place + PAGE);
	look(FAR(9));
	look(FAR(9) + PAGE);
	touch(FAR(9), 14);
	change((struct change){ MOVE, FAR(9), p, .size = 2 * PAGE });
	look(FAR(9));
	look(p);
	look(p + PAGE);
	unmap(p, 2 * PAGE);
	look(p);
}

/* Out of reach of what was laid out at the beginning. */
static void far(void)
{
	int ends[2];
	char byte;

	check(pipe(ends) == 0, "pipe");
	for (int i = 0; i < 3; i++) {
		look(FAR(i));
		map(FAR(i), PAGE);
		look(FAR(i));
		touch(FAR(i), 20 + i);
		look(FAR(i));
		see("%zd ", write(ends[1], FAR(i), 1));
		see("%zd ", read(ends[0], &byte, 1));
		see("%d ", byte);
		look(FAR(i) + PAGE);
		unmap(FAR(i), PAGE);
		look(FAR(i));
	}
	see("%d ", write(ends[1], FAR(0), 1) < 0 ? errno : 0);
	map(FAR(0) + 3 * GIB, 2 * GIB);
	for (int i = 0; i < 4; i++)
		look(FAR(0) + 3 * GIB + i * GIB / 2);
	look(FAR(0) + 5 * GIB);
	unmap(FAR(0) + 3 * GIB, 2 * GIB);
	close(ends[0]);
	close(ends[1]);
}

static void *far_stack_thread(void *arg)
{
	volatile char large[8192];

	if (arg)
		check_ok(dbos_enter());
	large[0] = large[8191] = 7;
	see("%d%d ", large[0], large[8191]);
	check(((uintptr_t)large >> 40) == ((uintptr_t)FAR(4) >> 40), "the stack is at %p", large);
	if (arg)
		check_ok(dbos_leave());
	return NULL;
}

/* A thread enters on it: even the first trap is to work. */
static void far_stack(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	map(FAR(4), 64 * PAGE);
	check(pthread_attr_init(&attributes) == 0, "pthread_attr_init");
	check(pthread_attr_setstack(&attributes, FAR(4), 64 * PAGE) == 0, "setstack");
	check(pthread_create(&thread, &attributes, far_stack_thread,
			     transcript.inside ? "" : NULL) == 0, "pthread_create");
	check(pthread_join(thread, NULL) == 0, "pthread_join");
	unmap(FAR(4), 64 * PAGE);
}

static void heap(void)
{
	char *end = sbrk(0), *up = (char *)(((uintptr_t)end + PAGE - 1) & -PAGE);

	look(up + PAGE);
	check(brk(up + 4 * PAGE) == 0, "brk");
	touch(up + PAGE, 1);
	touch(up + 3 * PAGE, 2);
	look(up + 5 * PAGE);
	check(brk(up + 2 * PAGE) == 0, "brk");
	look(up + PAGE);
	look(up + 3 * PAGE);
	check(brk(up + 4 * PAGE) == 0, "brk");
	look(up + 3 * PAGE);
	check(brk(end) == 0, "brk");
	look(up + PAGE);
}

/* A file that is shown, written, discarded and cut off. */
static void files(void)
{
	int file = memfd_create("mappings", 0);
	char *shared, *private;

	check(file >= 0 && ftruncate(file, 2 * PAGE) == 0, "memfd_create");
	check(pwrite(file, "ab", 2, 0) == 2, "pwrite");
	shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	private = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	check(shared != MAP_FAILED && private != MAP_FAILED, "mmap");
	touch(private, 'x');
	touch(shared + 1, 'y');
	look(private + 1);
	check(pwrite(file, "c", 1, 0) == 1, "pwrite");
	look(shared);
	look(private);
	change((struct change){ DISCARD, private, .size = PAGE });
	look(private);
	look(private + 1);
	look(shared + PAGE);
	check(ftruncate(file, PAGE) == 0, "ftruncate");
	look(shared + PAGE);
	look(shared);
	unmap(shared, 2 * PAGE);
	unmap(private, 2 * PAGE);
	close(file);
}

/* Pages of before the fork are shared until they are written, on either side. */
static void forked(void)
{
	char *p = map(NULL, 2 * PAGE), *far = map(FAR(5), PAGE);
	int status;
	pid_t pid;

	touch(p, 1);
	touch(p + PAGE, 2);
	touch(far, 3);
	pid = fork();
	if (pid == 0) {
		p[0] = far[0] = 50;
		_exit(p[0] + p[PAGE]);
	}
	touch(p + PAGE, 4);
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	see("%#x ", status);
	look(p);
	look(p + PAGE);
	look(far);
	unmap(p, 2 * PAGE);
	unmap(far, PAGE);
}

/*
 * An outsider moves a page between two places, discards it, takes rights away and gives them back,
 * while it is read without a pause. A reader sees nothing, a page that has been discarded, or a
 * number that is not older than what had been there before it began to look.
 */
static struct {
	char *place[2];
	uint64_t written, cleared;
} moving;

static void read_moving(void)
{
	for (int i = 0; i < 2; i++) {
		uint64_t least = load(moving.written);
		int seen = peek(moving.place[i]);

		check(seen <= 0 || (uint8_t)(seen - least) < 128, "seen %d, written was %lu", seen,
		      least);
	}
}

static void churn(void)
{
	for (uint64_t i = 0; i < rounds; i++) {
		char *from = moving.place[i & 1], *to = moving.place[~i & 1];

		now = (struct change){ MOVE, from, to, .size = PAGE };
		make_change();
		*to = moving.written + 1;
		store(moving.written, moving.written + 1);
		now = (struct change){ PROTECT, to, .size = PAGE, .protection = i % 3 };
		make_change();
		now.protection = PROT_READ | PROT_WRITE;
		make_change();
		now = (struct change){ i % 4 ? PROTECT : DISCARD, to, .size = PAGE,
				       .protection = PROT_READ | PROT_WRITE };
		make_change();
	}
}

static void changed_while_in_use(void)
{
	moving.place[0] = map(NULL, PAGE);
	moving.place[1] = map(FAR(6), PAGE);
	unmap(FAR(6), PAGE);
	if (!transcript.inside) {
		see("place %d, other gone", (int)(rounds & 1));
		unmap(moving.place[0], PAGE);
		return;
	}
	begin_partner(read_moving);
	store(outsider.act, churn);
	while (load(outsider.act))
		read_moving();
	end_partner();
	see("place %d, other %s", peek(moving.place[0]) < 0,
	    peek(moving.place[~rounds & 1]) < 0 ? "gone" : "there");
	unmap(moving.place[rounds & 1], PAGE);
}

/* More neighbourhoods than there can be windows: an error, not the end. */
static void too_many(void)
{
	int reached = 0, refused = 0;

	for (int i = 0; i < 40; i++) {
		check(mmap(FAR(10 + i), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			   -1, 0) == FAR(10 + i), "mmap");
		if (peek(FAR(10 + i)) == 0)
			reached++;
		else
			refused++;
	}
	check(reached >= 4 && refused > 0, "%d reached, %d refused", reached, refused);
	check(!(probe_code & (DBOS_FEC_HOST | DBOS_FEC_PRESENT)), "error code %#lx", probe_code);
	printf("too many: ok\n");
}

static const struct {
	const char *name;
	void (*act)(void);
} cases[] = {
	{ "protections", protections }, { "replaced", replaced }, { "moved", moved },
	{ "far", far }, { "far stack", far_stack }, { "heap", heap }, { "files", files },
	{ "forked", forked },
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 0);
	alarm(60);
	check_ok(dbos_init());
	compared_begin();
	outsider_begin();
	check_ok(dbos_enter());
	for (int by = 0; by < 2; by++) {
		outsider.used = by;
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			compare(cases[i].name, cases[i].act);
	}
	outsider.used = false;
	compare("in use", changed_while_in_use);
	too_many();
	check_ok(dbos_leave());
	outsider_end();
	printf("mappings: ok\n");
	return 0;
}
