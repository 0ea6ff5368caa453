// SPDX-License-Identifier: BSD-2-Clause
/*
 * whole lazy|kept [epoch]: the program's own memory in snapshots, against children of fork(): its
 * variables, libc's, and the heap. Each step prints its name; the last line is "whole: ok".
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/region.h>
#include <dbos/snapshot.h>

#include "check.h"

#define NODES  2000
#define LARGE  (300ul << 10)	/* mmap's, if malloc() were left alone */
#define TEXT   400
#define RANGE  (2ul << 20)
#define HOLES  8
#define PAGE   DBOS_PAGE_SIZE

struct node {
	struct node *next;
	unsigned long value;
	char room[100];
};

static struct dbos *dbos;
static unsigned int engine, keep;

/* What is looked at: .data, .bss, and the heap by pointers in them. */
static unsigned long in_data = 7;
static unsigned long in_bss[3000];
static struct node *list;
static unsigned char *large;

static void change_all(unsigned long by)
{
	char text[20];

	in_data += by;
	for (unsigned int i = 0; i < 3000; i += 100)
		in_bss[i] += by * i;
	for (struct node *node = list; node; node = node->next)
		node->value = node->value * 3 + by;
	memset(large, by, LARGE);
	snprintf(text, sizeof(text), "%lu", by);
	check(setenv("WHOLE", text, 1) == 0, "setenv");
	srand(by);
}

static void push(unsigned long value)
{
	struct node *node = malloc(sizeof(*node));

	check(node != NULL, "malloc");
	node->next = list;
	node->value = value;
	list = node;
}

static void pop(void)
{
	struct node *node = list;

	list = node->next;
	free(node);
}

/* All of it, and by the way some more and some less of the heap. */
static void describe(char *text)
{
	unsigned long sum_of_bss = 0, sum_of_list = 0, sum_of_large = 0, count = 0;

	for (unsigned int i = 0; i < 3000; i++)
		sum_of_bss += in_bss[i];
	for (struct node *node = list; node; node = node->next, count++)
		sum_of_list = sum_of_list * 31 + node->value;
	for (unsigned long i = 0; i < LARGE; i++)
		sum_of_large = sum_of_large * 31 + large[i];
	snprintf(text, TEXT, "data %lu bss %lu list %lu %lu large %lu env %s rand %d", in_data,
		 sum_of_bss, count, sum_of_list, sum_of_large, getenv("WHOLE"), rand());
}

static void *spoil_and_describe(void *text)
{
	describe(text);
	for (unsigned int i = 0; i < 50; i++)
		pop();
	for (unsigned int i = 0; i < 200; i++)
		push(i);
	change_all(1000003);
	return NULL;
}

struct child {
	int go, said;
	pid_t pid;
};

/* It waits until the process has changed everything. */
static struct child make_child(void)
{
	int go[2], said[2];
	struct child child;
	char text[TEXT] = "";

	check(pipe(go) == 0 && pipe(said) == 0, "pipe");
	child.pid = fork();
	check(child.pid >= 0, "fork");
	if (!child.pid) {
		if (read(go[0], text, 1) == 1) {
			describe(text);
			(void)!write(said[1], text, TEXT);
		}
		_exit(0);
	}
	close(go[0]);
	close(said[1]);
	child.go = go[1];
	child.said = said[0];
	return child;
}

static void ask_child(const struct child *child, char *text)
{
	int status;

	check(write(child->go, "x", 1) == 1, "write");
	check(read(child->said, text, TEXT) == TEXT, "the child said nothing");
	check(waitpid(child->pid, &status, 0) == child->pid && !status, "the child's end");
	close(child->go);
	close(child->said);
}

/* A heap that is not kept has moved when the first snapshot is over: then no child is asked. */
static void like_a_child(unsigned long round)
{
	char forked[TEXT], cut[TEXT], before[TEXT], after[TEXT];
	bool ask = keep || !round;
	struct dbos_snap *snap;
	struct child child;

	change_all(round + 1);
	if (ask)
		child = make_child();
	check_ok(dbos_snap_create(dbos, engine, &snap));
	change_all(round + 100);
	push(round);
	pop();
	push(round);
	describe(before);
	srand(round + 100);
	check_ok(dbos_snap_run(snap, spoil_and_describe, cut, NULL));
	if (ask) {
		ask_child(&child, forked);
		check(!strcmp(cut, forked), "\"%s\" on the snapshot, \"%s\" in the child", cut,
		      forked);
	}
	check(strcmp(cut, before), "the snapshot has what the process has");
	describe(after);
	check(!strcmp(before, after), "\"%s\" is \"%s\" after the snapshot", before, after);
	check_ok(dbos_snap_release(snap));
}

static void calls_that_would_move_it(void)
{
	char *page = (char *)((uintptr_t)large & ~(PAGE - 1)) + PAGE;
	void *top = sbrk(0);

	check(munmap(page, PAGE) < 0 && errno == EBUSY, "munmap of a member: %d", errno);
	check(mremap(page, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EBUSY,
	      "mremap of a member: %d", errno);
	check(mmap(page, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      MAP_FAILED && errno == EBUSY, "mmap over a member: %d", errno);
	check(madvise(page, PAGE, MADV_DONTNEED) < 0 && errno == EBUSY, "madvise: %d", errno);
	check(mprotect(page, PAGE, PROT_READ) < 0 && errno == EBUSY, "mprotect: %d", errno);
	check(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect to what it is");
	sbrk(-(long)PAGE);
	check(sbrk(0) == top, "the break went back");
	printf("refused: ok\n");
}

/* Of 2 MiB. */
static unsigned long *more_memory(void)
{
	char *room = mmap(NULL, 3 * RANGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);

	check(room != MAP_FAILED, "mmap");
	return (unsigned long *)(((uintptr_t)room + RANGE - 1) & ~(RANGE - 1));
}

static void memory_that_comes_later(void)
{
	unsigned long *late = more_memory(), value;
	struct dbos_snap *before, *after;

	late[5] = 1;
	check_ok(dbos_snap_create(dbos, engine, &before));
	check(dbos_snap_add_memory(dbos, late, PAGE, 0) == -EBUSY, "a page beside a snapshot");
	check_ok(dbos_snap_add_memory(dbos, late, RANGE, 0));
	check_ok(dbos_snap_create(dbos, engine, &after));
	late[5] = 2;
	check(dbos_snap_read(before, &late[5], &value, 8) == -EFAULT, "an older snapshot has it");
	check_ok(dbos_snap_read(after, &late[5], &value, 8));
	check(value == 1, "the younger has %lu", value);
	check_ok(dbos_snap_release(before));
	check_ok(dbos_snap_release(after));
	check(dbos_snap_remove_memory(dbos, late + PAGE, RANGE) == -EINVAL, "none begins there");
	check_ok(dbos_snap_remove_memory(dbos, late, RANGE));
	check(late[5] == 2 && munmap(late, RANGE) == 0, "what has left");
	printf("late: ok\n");
}

/*
 * Where libdbos's own memory goes: the kernel fills the highest hole that is large enough, and
 * these are the first below all objects. Of each 2 MiB the first page is left to us.
 */
static char *make_holes(void)
{
	char *room = mmap(NULL, (HOLES + 1) * RANGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *first = (char *)(((uintptr_t)room + RANGE - 1) & ~(RANGE - 1));

	check(room != MAP_FAILED, "mmap");
	for (unsigned int i = 0; i < HOLES; i++)
		check(munmap(first + i * RANGE + PAGE, RANGE - PAGE) == 0, "munmap");
	return first;
}

/*
 * Members in the 2 MiB in which libdbos has what it needs to handle their faults: that must not
 * fault itself.
 */
static void beside_ours(char *first)
{
	struct dbos_snap *snap;
	unsigned long value;

	check((char *)dbos > first && (char *)dbos < first + HOLES * RANGE,
	      "libdbos's memory is at %p, not beside %p", (void *)dbos, (void *)first);
	for (unsigned int i = 0; i < HOLES; i++) {
		first[i * RANGE] = 1;
		check_ok(dbos_snap_add_memory(dbos, first + i * RANGE, PAGE, 0));
	}
	check_ok(dbos_snap_create(dbos, engine, &snap));
	for (unsigned int i = 0; i < HOLES; i++) {
		first[i * RANGE] = 2;
		check_ok(dbos_snap_read(snap, first + i * RANGE, &value, 8));
		check(value == 1, "the snapshot has %lu", value);
	}
	check_ok(dbos_snap_release(snap));
	for (unsigned int i = 0; i < HOLES; i++) {
		check_ok(dbos_snap_remove_memory(dbos, first + i * RANGE, PAGE));
		check(first[i * RANGE] == 2, "what has left");
	}
	printf("beside: ok\n");
}

struct seen {
	unsigned long *memory, pages;
};

static void *look_from_outside(void *arg)
{
	const struct seen *seen = arg;

	for (unsigned long i = 0; i < seen->pages; i++)
		check(seen->memory[i * PAGE / 8] == i + 3, "page %lu is %lu for the host", i,
		      seen->memory[i * PAGE / 8]);
	return NULL;
}

/* Two regions whose pages have gone to one another's frames. */
static void regions_that_leave(void)
{
	struct dbos_region *region[2];
	struct dbos_region_info info;
	struct dbos_snap *snap;
	struct seen seen[2];
	pthread_t thread;

	for (unsigned int i = 0; i < 2; i++) {
		check_ok(dbos_region_create(dbos, NULL, 50 * PAGE, 50 * PAGE,
					    DBOS_REGION_WRITABLE, &region[i]));
		dbos_region_info(region[i], &info);
		seen[i] = (struct seen){ info.base, 50 };
		check_ok(dbos_snap_add(dbos, region[i]));
	}
	for (unsigned long round = 0; round < 4; round++) {
		check_ok(dbos_snap_create(dbos, engine, &snap));
		check(dbos_snap_remove(dbos, region[0]) == -EBUSY, "left beside a snapshot");
		for (unsigned long i = 50; i-- > 0;) {
			seen[round % 2].memory[i * PAGE / 8] = i + round;
			seen[1 - round % 2].memory[(i * 7 % 50) * PAGE / 8] = i * 7 % 50 + round;
		}
		check_ok(dbos_snap_release(snap));
	}
	for (unsigned int i = 0; i < 2; i++) {
		check_ok(dbos_snap_remove(dbos, region[i]));
		check(dbos_snap_remove(dbos, region[i]) == -EINVAL, "left twice");
		check(pthread_create(&thread, NULL, look_from_outside, &seen[i]) == 0, "a thread");
		check(pthread_join(thread, NULL) == 0, "pthread_join");
		check_ok(dbos_region_destroy(region[i]));
	}
	printf("left: ok\n");
}

int main(int argc, char **argv)
{
	char *holes = make_holes();

	setvbuf(stdout, NULL, _IOLBF, 0);
	keep = argc > 1 && !strcmp(argv[1], "kept") ? DBOS_SNAP_KEEP : 0;
	engine = argc > 2 && !strcmp(argv[2], "epoch") ? DBOS_SNAP_EPOCH : 0;
	alarm(60);
	check_ok(dbos_init());
	dbos = dbos_instance();
	check_ok(dbos_enter());
	beside_ours(holes);
	check_ok(dbos_snap_add_process(dbos, 1ul << 20, keep));
	check_ok(dbos_snap_add_process(dbos, 1ul << 20, keep));
	for (unsigned long i = 0; i < NODES; i++)
		push(i);
	large = malloc(LARGE);
	check(large != NULL, "malloc");
	for (unsigned long round = 0; round < 5; round++)
		like_a_child(round);
	printf("child: ok\n");
	calls_that_would_move_it();
	memory_that_comes_later();
	regions_that_leave();
	check_ok(dbos_leave());
	printf("whole: ok\n");
	return 0;
}
