// SPDX-License-Identifier: BSD-2-Clause
/*
 * slots: a slot of the test's own beside those of libdbos is made, moved, made read-only and
 * deleted, also while another vCPU works in it. Each step prints its name; the last line is
 * "slots: ok". An access that no slot answers ends a process by SIGBUS, so those steps fork.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "device.h"

#define SLOT  31
#define PAGES 8
#define SIZE  (PAGES * DBOS_PAGE_SIZE)
#define GIB   (1ull << 30)

static uint64_t *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

/* Guest-physical space that libdbos has no window in. */
static uint64_t free_gpa(void)
{
	struct dbos_caps caps;

	check_ok(dbos_caps(dbos_instance(), &caps));
	return (1ull << caps.gpa_bits) - 4 * GIB;
}

static int set_slot(uint64_t gpa, uint64_t size, const void *hva, uint32_t flags)
{
	struct dune_slot slot = {
		.slot = SLOT, .flags = flags, .gpa = gpa, .size = size, .hva = (uintptr_t)hva
	};

	return ioctl(device_fd(), DUNE_SET_SLOT, &slot) < 0 ? -errno : 0;
}

/* Guest-virtual pages that show the guest-physical ones from @gpa on. */
static volatile uint64_t *view(uint64_t gpa)
{
	char *p = (char *)map(SIZE);

	for (uint64_t offset = 0; offset < SIZE; offset += DBOS_PAGE_SIZE) {
		volatile dbos_pte_t *pte;

		check_ok(dbos_pte(dbos_instance(), p + offset, &pte));
		*pte = (gpa + offset) | DBOS_PTE_P | DBOS_PTE_W;
		if (dbos_inside())
			dbos_invlpg(p + offset);
	}
	return (volatile uint64_t *)p;
}

static void refusals(void)
{
	uint64_t gpa = free_gpa();
	char *p = (char *)map(SIZE);

	check(set_slot(gpa + 1, SIZE, p, 0) == -EINVAL, "unaligned gpa");
	check(set_slot(gpa, SIZE + 1, p, 0) == -EINVAL, "unaligned size");
	check(set_slot(gpa, SIZE, p + 1, 0) == -EINVAL, "unaligned hva");
	check(set_slot(gpa, SIZE, p, 2) == -EINVAL, "unknown flag");
	check(set_slot(gpa, 5 * GIB, p, 0) == -EINVAL, "beyond guest-physical space");
	check(set_slot(-4096ull, SIZE, p, 0) == -EINVAL, "gpa wraps");
	check(set_slot(gpa, -4096ull, p, 0) == -EINVAL, "size wraps");
	check(set_slot(gpa, SIZE, (void *)-4096ull, 0) == -EINVAL, "hva of the kernel");
	check(set_slot(gpa, SIZE, (void *)0x7fffffffe000, 0) == -EINVAL, "hva beyond user space");
	check(set_slot(dbos_gpa(dbos_instance(), p), SIZE, p, 0) == -EEXIST, "overlap");
	check(set_slot(gpa, 0, NULL, 0) == 0, "deletion of nothing");
	printf("refusals: ok\n");
}

static void same_memory_twice(void)
{
	volatile uint64_t *data = map(SIZE), *alias;

	check_ok(set_slot(free_gpa(), SIZE, (void *)data, 0));
	alias = view(free_gpa());
	alias[0] = 1;
	data[512] = 2;
	check(data[0] == 1 && alias[512] == 2, "the slot shows other memory");
	data = map(SIZE);
	check_ok(set_slot(free_gpa(), SIZE, (void *)data, 0));
	check(alias[0] == 0 && alias[512] == 0, "the replaced slot shows the old memory");
	printf("alias: ok\n");
}

enum end { READ_ONLY, DELETED, MOVED, SHRUNK, ENDS };

static void access_what_is_gone(enum end end)
{
	volatile uint64_t *data, *alias;
	uint64_t gpa;

	check_ok(dbos_init());
	check_ok(dbos_enter());
	data = map(SIZE);
	gpa = free_gpa();
	check_ok(set_slot(gpa, SIZE, (void *)data, 0));
	alias = view(gpa);
	for (int i = 0; i < PAGES; i++)
		alias[i * 512] = i + 1;
	if (end == READ_ONLY)
		check_ok(set_slot(gpa, SIZE, (void *)data, DUNE_SLOT_READONLY));
	else if (end == DELETED)
		check_ok(set_slot(gpa, 0, NULL, 0));
	else if (end == MOVED)
		check_ok(set_slot(gpa + GIB, SIZE, (void *)data, 0));
	else
		check_ok(set_slot(gpa, SIZE / 2, (void *)data, 0));
	if (end == READ_ONLY)
		check(alias[7 * 512] == 8, "a read-only slot can't be read");
	else if (end == MOVED)
		check(view(gpa + GIB)[7 * 512] == 8, "the slot did not move");
	else if (end == SHRUNK)
		check(alias[3 * 512] == 4, "the rest of the slot is gone");
	printf("still here\n");
	fflush(stdout);
	alias[7 * 512] = 0;
	printf("the access went through\n");
	_exit(0);
}

static void accesses_die(void)
{
	static const char *const names[] = { "read-only", "deleted", "moved", "shrunk" };

	for (enum end end = 0; end < ENDS; end++) {
		pid_t pid = fork();
		int status;

		check(pid >= 0, "fork");
		if (pid == 0)
			access_what_is_gone(end);
		check(waitpid(pid, &status, 0) == pid, "waitpid");
		check(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "%s: status %#x",
		      names[end], status);
		printf("%s: ok\n", names[end]);
	}
}

struct worker {
	volatile uint64_t *alias;
	volatile bool stop;
	uint64_t writes;
};

static void *write_through(void *arg)
{
	struct worker *worker = arg;

	check_ok(dbos_enter());
	while (!worker->stop) {
		for (int i = 0; i < PAGES; i++)
			worker->alias[i * 512]++;
		worker->writes++;
	}
	check_ok(dbos_leave());
	return NULL;
}

/* Two pieces of memory take turns behind one slot; the one that is out must not change. */
static void taking_turns(void)
{
	volatile uint64_t *data[2] = { map(SIZE), map(SIZE) };
	struct worker worker = { 0 };
	pthread_t thread;
	int turns = 400;

	check_ok(set_slot(free_gpa(), SIZE, (void *)data[0], 0));
	worker.alias = view(free_gpa());
	check(pthread_create(&thread, NULL, write_through, &worker) == 0, "pthread_create");
	for (int turn = 0; turn < turns; turn++) {
		volatile uint64_t *out = data[turn & 1];
		uint64_t seen[PAGES], writes;

		check_ok(set_slot(free_gpa(), SIZE, (void *)data[~turn & 1], 0));
		for (int i = 0; i < PAGES; i++)
			seen[i] = out[i * 512];
		writes = *(volatile uint64_t *)&worker.writes;
		while (*(volatile uint64_t *)&worker.writes < writes + 2)
			;
		for (int i = 0; i < PAGES; i++)
			check(out[i * 512] == seen[i], "turn %d: a stale write to page %d", turn,
			      i);
	}
	worker.stop = true;
	check(pthread_join(thread, NULL) == 0, "pthread_join");
	printf("turns: ok, %d while %lu writes\n", turns, worker.writes);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	accesses_die();
	check_ok(dbos_init());
	taking_turns();
	check_ok(dbos_enter());
	refusals();
	same_memory_twice();
	check_ok(dbos_leave());
	printf("slots: ok\n");
	return 0;
}
