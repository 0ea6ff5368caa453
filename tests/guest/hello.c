// SPDX-License-Identifier: BSD-2-Clause
/*
 * The first program to run: becomes privileged and shows, step by step, what that means.
 * Each step prints one line that starts with its name; the last line begins with
 * "hello: ok".
 */
#include <cpuid.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "check.h"
#include "inside.h"

#define VECTOR_DE 0

static void show_privilege(void)
{
	unsigned int eax = 0, ebx = 0, ecx = 0, edx = 0;
	char vendor[13] = "";
	struct dbos_caps caps;

	__get_cpuid(0, &eax, &ebx, &ecx, &edx);
	memcpy(vendor, &ebx, 4);
	memcpy(vendor + 4, &edx, 4);
	memcpy(vendor + 8, &ecx, 4);
	check_ok(dbos_caps(dbos_instance(), &caps));
	check(current_privilege_level() == 0, "CPL is %u, not 0", current_privilege_level());
	printf("privilege: CPL %u, CR3 %#lx, CPU %s, backend %s/%s\n", current_privilege_level(),
	       dbos_read_cr3(), vendor, caps.backend, caps.vendor);
}

/* printf itself is a system call; these are a few more, and the count that proves the way. */
static void do_syscalls(void)
{
	struct dbos_vcpu_stats before, after;
	pid_t pid, parent;
	char cwd[256];

	check_ok(dbos_vcpu_stats(&before));
	pid = getpid();
	parent = getppid();
	check(getcwd(cwd, sizeof(cwd)), "getcwd failed");
	check_ok(dbos_vcpu_stats(&after));
	check(after.syscalls - before.syscalls == 3, "3 system calls were proxied as %lu",
	      after.syscalls - before.syscalls);
	printf("syscalls: pid %d, parent %d, in %s, by the host's kernel\n", pid, parent, cwd);
}

extern char after_divide[];

static enum dbos_verdict skip_divide(void *count, struct dbos_tf *tf)
{
	++*(int *)count;
	tf->rip = (uint64_t)after_divide;
	return DBOS_HANDLED;
}

static void recover_from_divide_error(void)
{
	static int count;

	check_ok(dbos_on_intr(dbos_instance(), VECTOR_DE, skip_divide, &count));
	__asm__ volatile("xor %%ecx, %%ecx\n"
			 "	div %%ecx\n"
			 "after_divide:\n"
			 :
			 : "a"(1), "d"(0)
			 : "rcx", "cc", "memory");
	check(count == 1, "the divide error was delivered %d times", count);
	printf("divide error: delivered to our handler, and stepped over\n");
}

/* Volatile: the handler changes them behind an ordinary store, and the compiler can't know. */
struct page_fault {
	char *page;
	volatile uintptr_t seen;
	volatile uint64_t fec;
	volatile int count;
};

static enum dbos_verdict open_page(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	struct page_fault *fault = arg;

	(void)tf;
	fault->seen = va;
	fault->fec = fec;
	fault->count++;
	check(mprotect(fault->page, DBOS_PAGE_SIZE, PROT_READ | PROT_WRITE) == 0, "mprotect");
	return DBOS_HANDLED;
}

static char *map_page(int protection)
{
	char *page = mmap(NULL, DBOS_PAGE_SIZE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED, "mmap failed");
	return page;
}

static void recover_from_page_fault(void)
{
	static struct page_fault fault;
	uintptr_t page;

	fault.page = map_page(PROT_NONE);
	page = (uintptr_t)fault.page;
	check_ok(dbos_on_fault(dbos_instance(), page, page + DBOS_PAGE_SIZE, open_page, &fault));
	((volatile char *)fault.page)[42] = 'x';
	check(fault.count == 1, "the page fault was delivered %d times", fault.count);
	check(fault.seen == page + 42, "fault at %#lx reported at %#lx", page + 42, fault.seen);
	check(fault.fec & DBOS_FEC_WRITE, "error code %#lx is not that of a write", fault.fec);
	check(fault.page[42] == 'x', "the write was lost");
	printf("page fault: at %#lx, delivered to our handler, repaired and retried\n", fault.seen);
}

/*
 * The point of it all: our own page table, our own TLB, and nobody asked. Points the entry of @a
 * at the frame of @b, looks through it, writes through it, and puts it back. Returns the number
 * of world switches meanwhile: none, unless a timer of the host came in between.
 */
static uint64_t swap_and_look(volatile char *a, volatile char *b, volatile dbos_pte_t *pte_a,
			      dbos_pte_t pte_b)
{
	struct dbos_vcpu_stats before, after;
	dbos_pte_t old;
	char seen;

	*a = 'A';
	*b = 'B';
	check_ok(dbos_vcpu_stats(&before));
	old = *pte_a;
	*pte_a = pte_b;
	dbos_invlpg((const void *)a);
	seen = *a;
	*a = 'C';
	*pte_a = old;
	dbos_invlpg((const void *)a);
	check_ok(dbos_vcpu_stats(&after));
	check(seen == 'B', "after the edit and INVLPG the page still reads '%c'", seen);
	check(*b == 'C', "a write through the edited entry went elsewhere");
	check(*a == 'A', "the old entry does not show the old page");
	return after.entries - before.entries;
}

static void edit_own_page_table(void)
{
	volatile char *a = map_page(PROT_READ | PROT_WRITE);
	volatile char *b = map_page(PROT_READ | PROT_WRITE);
	volatile dbos_pte_t *pte_a, *pte_b;
	uint64_t exits = 1;

	*a = 'A';
	*b = 'B';
	check_ok(dbos_pte(dbos_instance(), (const void *)a, &pte_a));
	check_ok(dbos_pte(dbos_instance(), (const void *)b, &pte_b));
	check(*a == 'A' && *b == 'B', "splitting a leaf changed a translation");
	for (int i = 0; exits && i < 100; i++)
		exits = swap_and_look(a, b, pte_a, *pte_b);
	check(exits == 0, "no edit and INVLPG of 100 went without an exit");
	printf("page table: edited our own entry at %p, INVLPG, 'A' became 'B', without an exit\n",
	       (void *)pte_a);
}

int main(void)
{
	struct dbos_vcpu_stats stats;
	unsigned int cpl;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(current_privilege_level() == 3, "started at CPL %u", current_privilege_level());
	check_ok(dbos_init());
	check_ok(dbos_enter());
	show_privilege();
	do_syscalls();
	recover_from_divide_error();
	recover_from_page_fault();
	edit_own_page_table();
	cpl = current_privilege_level();
	check_ok(dbos_vcpu_stats(&stats));
	check_ok(dbos_leave());
	check(current_privilege_level() == 3, "still at CPL %u", current_privilege_level());
	printf("hello: ok, CPL %u, %lu system calls by proxy, %lu world switches\n", cpl,
	       stats.syscalls, stats.entries);
	return 0;
}
