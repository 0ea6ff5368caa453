// SPDX-License-Identifier: BSD-2-Clause
/*
 * faults: accesses that the process's memory does not allow, by instructions of many kinds. Each
 * must arrive as a page fault at the right address, of the right kind, and once; after it has been
 * mended the instruction must do all of its work. A case prints its name and what arrived.
 *
 * A hypervisor may know what the processor tried to do only from the instruction: so here are some
 * that touch two pages, do half of their work, or have operands no simple decoder looks for.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "check.h"

#define PAGE DBOS_PAGE_SIZE
#define ZONE (3 * PAGE)

/* Of the host's refusals. */
#define READ  DBOS_FEC_HOST
#define WRITE (DBOS_FEC_HOST | DBOS_FEC_WRITE)
#define FETCH (DBOS_FEC_HOST | DBOS_FEC_FETCH)

/* What one case has seen, and what is to be done. One per thread: the handler is everybody's. */
struct seen {
	char *zone;		/* three pages */
	int mend;		/* protection that the page that faulted gets; PROT_NONE: skip */
	uint64_t resume;	/* where to go on when it is not mended */
	int count;
	uint64_t offset[4];	/* from the zone, of the page */
	uint64_t kind[4];
};

static _Thread_local volatile struct seen seen;

static enum dbos_verdict note(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	uint64_t offset = va - (uint64_t)seen.zone;
	int n = seen.count++;

	(void)arg;
	if (offset >= ZONE || n >= 4)
		return DBOS_NEXT;
	seen.offset[n] = offset;
	seen.kind[n] = fec;
	if (seen.mend == PROT_NONE) {
		tf->rip = seen.resume;
		return DBOS_HANDLED;
	}
	check(mprotect(seen.zone + (offset & -PAGE), PAGE, seen.mend) == 0, "mprotect");
	return DBOS_HANDLED;
}

/* Three pages: the first two of them open, unless @first says otherwise, and the last shut. */
static char *begin(int first, int last, int mend)
{
	char *zone = mmap(NULL, ZONE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(zone != MAP_FAILED, "mmap");
	memset(zone, 0x11, ZONE);
	check(mprotect(zone, 2 * PAGE, first) == 0, "mprotect");
	check(mprotect(zone + 2 * PAGE, PAGE, last) == 0, "mprotect");
	seen = (struct seen){ .zone = zone, .mend = mend };
	return zone;
}

static void expect(const char *name, int n, uint64_t offset, uint64_t kind)
{
	check(seen.count > n, "%s: fault %d did not arrive", name, n);
	check(seen.offset[n] / PAGE == offset / PAGE && seen.kind[n] == kind,
	      "%s: fault %d at %#lx of kind %#lx, not %#lx of kind %#lx", name, n, seen.offset[n],
	      seen.kind[n], offset, kind);
	/* A hypervisor may know no more than the page; but no more than one is wrong. */
	check(seen.offset[n] == offset || seen.offset[n] % PAGE == 0, "%s: fault %d at %#lx", name,
	      n, seen.offset[n]);
}

static void end(const char *name, int count)
{
	check(seen.count == count, "%s: %d faults, not %d", name, seen.count, count);
	check(munmap(seen.zone, ZONE) == 0, "munmap");
	printf("%s: ok\n", name);
}

#define SHUT (2 * PAGE)
#define OPEN (PROT_READ | PROT_WRITE)

static void simple(void)
{
	char *p = begin(OPEN, PROT_NONE, OPEN);
	volatile char value = p[SHUT + 5];

	check(value == 0x11, "read: %#x", value);
	expect("read", 0, SHUT + 5, READ);
	end("read", 1);
	p = begin(OPEN, PROT_READ, OPEN);
	p[SHUT + 6] = 1;
	expect("write", 0, SHUT + 6, WRITE);
	end("write", 1);
	p = begin(OPEN, PROT_READ, OPEN);
	__atomic_fetch_add((int *)(p + SHUT), 1, __ATOMIC_SEQ_CST);
	check(*(int *)(p + SHUT) == 0x11111112, "locked: %#x", *(int *)(p + SHUT));
	expect("locked", 0, SHUT, WRITE);
	end("locked", 1);
}

/* The operand begins in one page and ends in another: that one is meant. */
static void across(void)
{
	char *p = begin(OPEN, PROT_NONE, OPEN);
	uint64_t low;

	__asm__ volatile("movups (%1), %%xmm3\n"
			 "	movq %%xmm3, %0" : "=r"(low) : "r"(p + SHUT - 8) : "xmm3");
	check(low == 0x1111111111111111, "across: %#lx", low);
	expect("across", 0, SHUT, READ);
	end("across", 1);
	p = begin(OPEN, PROT_READ, OPEN);
	__asm__ volatile("fxsave64 (%0)" : : "r"(p + SHUT - 256) : "memory");
	expect("fxsave", 0, SHUT, WRITE);
	end("fxsave", 1);
}

/* Half of the bytes are copied before the fault, and no byte twice. */
static void strings(void)
{
	char *p = begin(OPEN, PROT_NONE, OPEN);
	void *from = p, *to = p + SHUT - 100;
	size_t count = 200;

	memset(p, 0x22, 200);
	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	for (int i = 0; i < 200; i++)
		check(p[SHUT - 100 + i] == 0x22, "string: byte %d is %#x", i, p[SHUT - 100 + i]);
	expect("string", 0, SHUT, WRITE);
	end("string", 1);
	p = begin(PROT_NONE, PROT_NONE, OPEN);
	from = p;
	to = p + SHUT;
	__asm__ volatile("movsb" : "+S"(from), "+D"(to) : : "memory");
	check(p[SHUT] == 0x11, "two: %#x", p[SHUT]);
	expect("two", 0, 0, READ);
	expect("two", 1, SHUT, WRITE);
	end("two", 2);
	/* One page that may be read, and is written then. */
	p = begin(OPEN, PROT_READ, OPEN);
	from = p + SHUT;
	to = p + SHUT + 1;
	__asm__ volatile("movsb" : "+S"(from), "+D"(to) : : "memory");
	expect("both", 0, SHUT + 1, WRITE);
	end("both", 1);
}

/* The stack pointer is an operand too; handlers have a stack of their own. */
static void stacks(void)
{
	char *p = begin(OPEN, PROT_NONE, OPEN);
	uint64_t popped;

	__asm__ volatile("mov %%rsp, %%rbx\n"
			 "	mov %1, %%rsp\n"
			 "	push $0x77\n"
			 "	pop %0\n"
			 "	mov %%rbx, %%rsp\n"
			 : "=&r"(popped) : "r"(p + SHUT + 64) : "rbx", "memory");
	check(popped == 0x77, "push: %#lx", popped);
	expect("push", 0, SHUT + 56, WRITE);
	end("push", 1);
}

/* CALL into a page that is shut: skipped, to where it would have returned to. */
static void fetches(void)
{
	char *p = begin(OPEN, PROT_NONE, PROT_NONE);

	__asm__ volatile("lea 1f(%%rip), %%rax\n"
			 "	mov %%rax, %0\n"
			 "	jmp *%1\n"
			 "1:\n" : "=m"(seen.resume) : "r"(p + SHUT) : "rax", "memory");
	expect("fetch", 0, SHUT, FETCH);
	end("fetch", 1);
	/* An instruction of which only the first half can be read: mov $1, %eax; ret */
	p = begin(OPEN, PROT_NONE, PROT_READ | PROT_EXEC);
	check(mprotect(p + SHUT, PAGE, OPEN) == 0, "mprotect");
	memcpy(p + SHUT - 2, "\xb8\x01\x00\x00\x00\xc3", 6);
	check(mprotect(p, SHUT, PROT_READ | PROT_EXEC) == 0, "mprotect");
	check(mprotect(p + SHUT, PAGE, PROT_NONE) == 0, "mprotect");
	check(((int (*)(void))(p + SHUT - 2))() == 1, "half: wrong result");
	expect("half", 0, SHUT, FETCH);
	end("half", 1);
}

/* The guest's own table is asked too: what it forbids is its own fault, not the host's. */
static void own_table(void)
{
	char *p = begin(OPEN, PROT_NONE, PROT_NONE);
	volatile dbos_pte_t *pte;

	check_ok(dbos_pte(dbos_instance(), p + SHUT, &pte));
	*pte &= ~(dbos_pte_t)DBOS_PTE_P;
	dbos_invlpg(p + SHUT);
	__asm__ volatile("lea 1f(%%rip), %%rax\n"
			 "	mov %%rax, %0\n"
			 "	movb (%1), %%al\n"
			 "1:\n" : "=m"(seen.resume) : "r"(p + SHUT + 7) : "rax", "memory");
	check(seen.offset[0] == SHUT + 7, "own: at %#lx", seen.offset[0]);
	expect("own", 0, SHUT + 7, 0);
	*pte |= DBOS_PTE_P;
	end("own", 1);
}

static void *many(void *arg)
{
	check_ok(dbos_enter());
	for (int i = 0; i < 20; i++) {
		char *p = begin(OPEN, PROT_NONE, OPEN);

		p[SHUT + i] = 1;
		expect("many", 0, SHUT + i, WRITE);
		check(seen.count == 1, "many: %d faults", seen.count);
		check(munmap(p, ZONE) == 0, "munmap");
	}
	check_ok(dbos_leave());
	return arg;
}

static void threads(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		check(pthread_create(&thread[i], NULL, many, NULL) == 0, "pthread_create");
	for (int i = 0; i < 4; i++)
		check(pthread_join(thread[i], NULL) == 0, "pthread_join");
	printf("many: ok\n");
}

/* What the process maps nowhere, by an instruction that few emulators know. */
static void leave_memory(void)
{
	char *p = begin(OPEN, OPEN, PROT_NONE);
	volatile dbos_pte_t *pte;

	check_ok(dbos_init());
	check_ok(dbos_enter());
	check_ok(dbos_pte(dbos_instance(), p, &pte));
	*pte = PAGE | DBOS_PTE_P | DBOS_PTE_W;	/* below all windows */
	dbos_invlpg(p);
	__asm__ volatile("xsave64 (%0)" : : "r"(p), "a"(1), "d"(0) : "memory");
}


static void ends(const char *name, void (*what)(void), int signo)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0, "fork");
	if (pid == 0) {
		alarm(20);	/* if it hangs, that is another signal */
		what();
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	check(WIFSIGNALED(status) && WTERMSIG(status) == signo, "%s: status %#x", name, status);
	printf("%s: ok\n", name);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	ends("stray", leave_memory, SIGBUS);
	check_ok(dbos_init());
	check_ok(dbos_on_fault(dbos_instance(), 0, UINTPTR_MAX, note, NULL));
	threads();
	check_ok(dbos_enter());
	simple();
	across();
	strings();
	stacks();
	fetches();
	own_table();
	check_ok(dbos_leave());
	printf("faults: ok\n");
	return 0;
}
