// SPDX-License-Identifier: BSD-2-Clause
/* Snapshots by mprotect(): a handler of SIGSEGV puts each page aside before it is written. */
#include <signal.h>
#include <sys/mman.h>

#include "costs.h"

static char *aside;
static size_t aside_count;

static void on_fault(int number, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & ~(PAGE - 1));

	(void)number;
	(void)context;
	check((size_t)(page - (char *)memory) < size, "a fault at %p", info->si_addr);
	memcpy(aside + PAGE * __atomic_fetch_add(&aside_count, 1, __ATOMIC_RELAXED), page, PAGE);
	check(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

static void prepare(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	check(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
	aside = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(aside != MAP_FAILED, "no memory");
	aside_count = 0;
}

static void take(const struct method *method)
{
	(void)method;
	check(mprotect((void *)memory, size, PROT_READ) == 0, "mprotect");
}

static void drop(void)
{
	check(mprotect((void *)memory, size, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

static void forget(void)
{
	munmap(aside, size);
	signal(SIGSEGV, SIG_DFL);
}

/* No tables, and what it has put aside. */
static void weigh(struct weight *weight)
{
	*weight = (struct weight){ 0, aside_count };
}

const struct method protect_method = {
	.name = "mprotect", .prepare = prepare, .take = take, .drop = drop, .forget = forget,
	.weigh = weigh,
};
