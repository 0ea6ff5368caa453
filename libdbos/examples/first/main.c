// SPDX-License-Identifier: BSD-2-Clause
/*
 * A first program: it becomes privileged, mends a page fault, shows one page at another's address,
 * and has another vCPU do something.
 *
 *	cc main.c $(pkg-config --cflags --libs dbos)
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <dbos/mm.h>
#include <dbos/smp.h>

static void check(const char *what, int ret)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	exit(1);
}

static char *map(int protection)
{
	char *page = mmap(NULL, DBOS_PAGE_SIZE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return page;
}

/* On this thread, inside, at the instruction that has faulted; it is repeated. */
static enum dbos_verdict mend(void *page, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)va;
	(void)fec;
	(void)tf;
	return mprotect(page, DBOS_PAGE_SIZE, PROT_READ | PROT_WRITE) ? DBOS_NEXT : DBOS_HANDLED;
}

static void a_fault(struct dbos *dbos)
{
	char *page = map(PROT_NONE);
	uintptr_t lo = (uintptr_t)page;

	check("dbos_on_fault", dbos_on_fault(dbos, lo, lo + DBOS_PAGE_SIZE, mend, page));
	strcpy(page, "mended");
	printf("fault: %s\n", page);
}

/* The host knows nothing of it: there both pages are what they were. */
static void another_page(struct dbos *dbos)
{
	char *here = map(PROT_READ | PROT_WRITE), *there = map(PROT_READ | PROT_WRITE);
	volatile dbos_pte_t *pte;

	strcpy(here, "here");
	strcpy(there, "there");
	check("dbos_pte", dbos_pte(dbos, here, &pte));
	*pte = (*pte & ~DBOS_PTE_ADDR) | dbos_gpa(dbos, there);
	check("dbos_flush", dbos_flush(dbos, here, 1, DBOS_FLUSH_SYNC, NULL));
	printf("remapped: %s\n", here);
}

static int other = -1;

static void *be_another(void *arg)
{
	(void)arg;
	check("dbos_enter", dbos_enter());
	__atomic_store_n(&other, dbos_self(), __ATOMIC_RELEASE);
	while (__atomic_load_n(&other, __ATOMIC_ACQUIRE) >= 0)
		__builtin_ia32_pause();
	return NULL;
}

/* There, with interrupts off: short, and without a system call. */
static void note_where(void *vcpu)
{
	*(int *)vcpu = dbos_self();
}

static void a_call(struct dbos *dbos)
{
	pthread_t thread;
	int where = -1;

	if (pthread_create(&thread, NULL, be_another, NULL))
		exit(1);
	while (__atomic_load_n(&other, __ATOMIC_ACQUIRE) < 0)
		__builtin_ia32_pause();
	check("dbos_call", dbos_call(dbos, other, note_where, &where, DBOS_CALL_WAIT));
	printf("call: run by vCPU %d, for vCPU %d\n", where, dbos_self());
	__atomic_store_n(&other, -1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

int main(void)
{
	check("dbos_init", dbos_init());
	check("dbos_enter", dbos_enter());
	a_fault(dbos_instance());
	another_page(dbos_instance());
	a_call(dbos_instance());
	return 0;
}
