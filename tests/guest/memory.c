// SPDX-License-Identifier: BSD-2-Clause
/*
 * memory: what the host does to a process's memory holds inside too, and the other way round. Each
 * step prints its name; the last line is "memory: ok".
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "check.h"

#define PAGES 64
#define SIZE  (PAGES * DBOS_PAGE_SIZE)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static volatile int faults;

/* Steps over the two-byte instruction that faulted: movb (%rdi), %al and movb %al, (%rdi). */
static enum dbos_verdict skip(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)arg;
	(void)va;
	(void)fec;
	faults++;
	tf->rip += 2;
	return DBOS_HANDLED;
}

static int read_faults(const volatile char *p)
{
	int before = faults;

	__asm__ volatile("movb (%%rdi), %%al" : : "D"(p) : "rax", "memory");
	return faults - before;
}

static int write_faults(volatile char *p)
{
	int before = faults;

	__asm__ volatile("movb %%al, (%%rdi)" : : "D"(p), "a"(1) : "memory");
	return faults - before;
}

static volatile char *map(int protection, int flags)
{
	void *p = mmap(NULL, SIZE, protection, flags | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "mmap failed");
	return p;
}

static void protections_hold(void)
{
	volatile char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);

	p[0] = 1;
	check(write_faults(p) == 0 && read_faults(p) == 0, "ordinary memory faults");
	check(mprotect((void *)p, SIZE, PROT_READ) == 0, "mprotect");
	check(write_faults(p) == 1, "a write to read-only memory went through");
	check(read_faults(p) == 0, "read-only memory can't be read");
	check(mprotect((void *)p, SIZE, PROT_NONE) == 0, "mprotect");
	check(read_faults(p) == 1, "PROT_NONE can be read");
	check(mprotect((void *)p, SIZE, PROT_READ | PROT_WRITE) == 0, "mprotect");
	check(write_faults(p) == 0, "memory made writable again faults");
	check(munmap((void *)p, SIZE) == 0, "munmap");
	check(read_faults(p) == 1, "unmapped memory can be read");
	printf("protections: ok\n");
}

/* Dropped pages come back zeroed, not as what a stale translation shows. */
static void dontneed_drops(void)
{
	volatile char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (int i = 0; i < PAGES; i++)
		p[i * DBOS_PAGE_SIZE] = 1;
	check(madvise((void *)p, SIZE, MADV_DONTNEED) == 0, "madvise");
	for (int i = 0; i < PAGES; i++)
		check(p[i * DBOS_PAGE_SIZE] == 0, "page %d survived MADV_DONTNEED", i);
	printf("dontneed: ok\n");
}

/*
 * A store inside sets no dirty bit that the host's reclaim would see. Pages that were clean when
 * they were mapped must be written back all the same, or MADV_FREE throws them away.
 */
static void writes_survive_reclaim(void)
{
	volatile char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (int i = 0; i < PAGES; i++)
		p[i * DBOS_PAGE_SIZE] = 1;
	check(madvise((void *)p, SIZE, MADV_FREE) == 0, "MADV_FREE");
	for (int i = 0; i < PAGES; i++)
		p[i * DBOS_PAGE_SIZE] = 2;
	/* Without swap there is nowhere to go for them: EINVAL or 0, and nothing lost. */
	madvise((void *)p, SIZE, MADV_PAGEOUT);
	for (int i = 0; i < PAGES; i++)
		check(p[i * DBOS_PAGE_SIZE] == 2, "the write to page %d was lost", i);
	printf("reclaim: ok\n");
}

static int recurse(int depth)
{
	volatile char frame[4096];

	frame[0] = depth;
	return depth ? recurse(depth - 1) + frame[0] : 0;
}

static void stack_grows(void)
{
	recurse(512);
	printf("stack: ok\n");
}

/* Also exercises brk, far past where the heap was when we entered. */
static void heap_grows(void)
{
	char *before = sbrk(0);

	for (int i = 0; i < 64; i++) {
		volatile char *p = sbrk(1 << 20);

		check(p != (void *)-1, "sbrk: %s", strerror(errno));
		p[0] = p[(1 << 20) - 1] = 1;
	}
	check(sbrk(0) != before, "sbrk did nothing");
	printf("heap: ok\n");
}

static void reach_outside(volatile char *p)
{
	volatile dbos_pte_t *pte;

	check_ok(dbos_init());
	check_ok(dbos_enter());
	check_ok(dbos_pte(dbos_instance(), (void *)p, &pte));
	*pte = DBOS_PAGE_SIZE | DBOS_PTE_P | DBOS_PTE_W;	/* below all windows */
	dbos_invlpg((void *)p);
	p[0] = 1;
	_exit(0);
}

/* A page-table entry to what is no memory of the process: the end of it, and at once. */
static void stray_entry_kills(void)
{
	volatile char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	pid_t pid = fork();
	int status;

	check(pid >= 0, "fork failed");
	if (pid == 0)
		reach_outside(p);
	check(waitpid(pid, &status, 0) == pid, "waitpid failed");
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "status %#x", status);
	printf("stray: ok\n");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	check_ok(dbos_init());
	check_ok(dbos_enter());
	check_ok(dbos_on_fault(dbos_instance(), 0, UINTPTR_MAX, skip, NULL));
	protections_hold();
	dontneed_drops();
	writes_survive_reclaim();
	stack_grows();
	heap_grows();
	stray_entry_kills();
	check_ok(dbos_leave());
	printf("memory: ok\n");
	return 0;
}
