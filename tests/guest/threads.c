// SPDX-License-Identifier: BSD-2-Clause
/*
 * threads [THREADS [ROUNDS]]: many threads enter, work and leave, more of them than CPUs.
 *
 * Each round enters, keeps a pattern in vector registers across system calls and page faults,
 * adds to a counter under a lock that blocks in the host, fills memory of its own, and leaves.
 * Whatever leaks from one vCPU to another (registers, FS base, memory) breaks a sum.
 */
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "check.h"

#define PAGES 64

struct shared {
	pthread_mutex_t lock;
	uint64_t sum;
	int rounds;
};

struct worker {
	struct shared *shared;
	pthread_t thread;
	uint64_t id;
	uint64_t entries;
};

static _Thread_local uint64_t own_id;

/* A system call with the worker's id in XMM6..XMM15, which nobody on the way may change. */
static void check_vectors(uint64_t id)
{
	uint64_t bad = 0;

	__asm__ volatile("movq %[id], %%xmm6\n"
			 "	movq %[id], %%xmm15\n"
			 "	mov $39, %%eax\n" /* getpid */
			 "	syscall\n"
			 "	movq %%xmm6, %%rcx\n"
			 "	xor %[id], %%rcx\n"
			 "	or %%rcx, %[bad]\n"
			 "	movq %%xmm15, %%rcx\n"
			 "	xor %[id], %%rcx\n"
			 "	or %%rcx, %[bad]\n"
			 : [bad] "+&r"(bad)
			 : [id] "r"(id)
			 : "rax", "rcx", "r11", "xmm6", "xmm15", "cc", "memory");
	check(bad == 0, "a system call changed vector registers of worker %lu", id);
}

static uint64_t fill_memory(uint64_t id)
{
	size_t size = PAGES * DBOS_PAGE_SIZE;
	uint64_t *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
	uint64_t sum = 0;

	check(page != MAP_FAILED, "mmap failed");
	for (size_t i = 0; i < size / sizeof(*page); i += 512)
		page[i] = id;
	for (size_t i = 0; i < size / sizeof(*page); i += 512)
		sum += page[i];
	check(munmap(page, size) == 0, "munmap failed");
	return sum;
}

static void work(struct worker *worker)
{
	struct shared *shared = worker->shared;
	struct dbos_vcpu_stats stats;
	uint64_t sum;

	check_ok(dbos_enter());
	check(own_id == worker->id, "worker %lu sees the thread-local data of %lu", worker->id,
	      own_id);
	check_vectors(worker->id * 0x0101010101010101ul);
	sum = fill_memory(worker->id);
	check(sum == worker->id * PAGES, "worker %lu read %lu", worker->id, sum);
	pthread_mutex_lock(&shared->lock);
	shared->sum += sum / PAGES;
	usleep(worker->id % 3 * 100);	/* makes the others block in futex() */
	pthread_mutex_unlock(&shared->lock);
	check_ok(dbos_vcpu_stats(&stats));
	worker->entries += stats.entries;
	check_ok(dbos_leave());
}

static void *run(void *arg)
{
	struct worker *worker = arg;

	own_id = worker->id;
	for (int i = 0; i < worker->shared->rounds; i++)
		work(worker);
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoul(argv[1], NULL, 0) : 8;
	struct shared shared = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct worker *workers = calloc(count, sizeof(*workers));
	uint64_t entries = 0, expected;

	shared.rounds = argc > 2 ? atoi(argv[2]) : 4;
	check(workers && count, "usage: threads [THREADS [ROUNDS]]");
	check_ok(dbos_init());
	for (uint64_t i = 0; i < count; i++) {
		workers[i] = (struct worker){ .shared = &shared, .id = i + 1 };
		check(pthread_create(&workers[i].thread, NULL, run, &workers[i]) == 0,
		      "pthread_create failed");
	}
	for (uint64_t i = 0; i < count; i++) {
		check(pthread_join(workers[i].thread, NULL) == 0, "pthread_join failed");
		entries += workers[i].entries;
	}
	expected = shared.rounds * count * (count + 1) / 2;
	check(shared.sum == expected, "the sum is %lu, not %lu", shared.sum, expected);
	printf("threads: ok, %lu threads entered and left %d times each, %lu world switches\n",
	       count, shared.rounds, entries);
	return 0;
}
