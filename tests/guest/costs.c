// SPDX-License-Identifier: BSD-2-Clause
/*
 * costs WHERE [REPETITIONS]: what some operations cost a process, by the time-stamp counter, which
 * counts instructions where the engine does. WHERE is "native", with what POSIX has for it, or
 * "inside", with what libdbos has, on the backend that DBOS_BACKEND names.
 *
 *	cost NAME TICKS EVENTS	one sample: TICKS were spent on that many
 *
 * "call" needs two processors, one for each side; with one it says "cost call -".
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dbos/mm.h>
#include <dbos/smp.h>

#include "check.h"

#define PAGE   DBOS_PAGE_SIZE
#define PAGES  64	/* that are written to, a fault for each */
#define EVENTS 200

#define load(word)	   __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define store(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELEASE)

static bool inside;
static char *pages;
static int file;

static uint64_t now(void)
{
	uint32_t lo, hi;

	/* Not before what comes first, nor behind what comes next (SDM 2B, RDTSC). */
	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

struct sample {
	uint64_t ticks, events;
};

static struct sample getpids(void)
{
	uint64_t start = now();

	for (int i = 0; i < EVENTS; i++)
		syscall(SYS_getpid);
	return (struct sample){ now() - start, EVENTS };
}

static struct sample preads(void)
{
	static char buffer[PAGE];
	uint64_t start = now();

	for (int i = 0; i < EVENTS; i++)
		check(pread(file, buffer, PAGE, 0) == (ssize_t)PAGE, "pread");
	return (struct sample){ now() - start, EVENTS };
}

/* The page's rights change, and nothing else: what is there is not read and not written. */
static void set_writable(char *page, bool writable)
{
	volatile dbos_pte_t *pte;

	if (!inside) {
		check(mprotect(page, PAGE, PROT_READ | (writable ? PROT_WRITE : 0)) == 0,
		      "mprotect");
		return;
	}
	check_ok(dbos_pte(dbos_instance(), page, &pte));
	*pte = writable ? *pte | DBOS_PTE_W : *pte & ~DBOS_PTE_W;
	dbos_invlpg(page);
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	set_writable((char *)((uintptr_t)info->si_addr & -PAGE), true);
}

static enum dbos_verdict on_fault(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)arg;
	(void)fec;
	(void)tf;
	set_writable((char *)(va & -PAGE), true);
	return DBOS_HANDLED;
}

/* A write to a page that may only be read; the handler makes it writable, and it is repeated. */
static struct sample faults(void)
{
	uint64_t start, with;

	for (int i = 0; i < PAGES; i++)
		set_writable(pages + i * PAGE, false);
	start = now();
	for (int i = 0; i < PAGES; i++)
		*(volatile char *)(pages + i * PAGE) = i;
	with = now() - start;
	return (struct sample){ with, PAGES };
}

static struct sample edits(void)
{
	uint64_t start = now();

	for (int i = 0; i < EVENTS; i++)
		set_writable(pages, i & 1);
	return (struct sample){ now() - start, EVENTS };
}

/* The other side: it has the second processor, and does what it is asked to, until it is to end. */
static struct {
	pthread_t thread;
	uint32_t asked, answered;
	bool ready, end;
	int vcpu;
	cpu_set_t cpu;
} other;

static void futex(uint32_t *word, int operation, uint32_t value)
{
	syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void *be_asked(void *arg)
{
	uint32_t done = 0;

	(void)arg;
	check(pthread_setaffinity_np(pthread_self(), sizeof(other.cpu), &other.cpu) == 0, "bind");
	if (inside) {
		check_ok(dbos_enter());
		other.vcpu = dbos_self();
		store(other.ready, true);
		while (!load(other.end))
			__asm__ volatile("pause");
		check_ok(dbos_leave());
		return NULL;
	}
	store(other.ready, true);
	for (;;) {
		while (load(other.asked) == done)
			futex(&other.asked, FUTEX_WAIT, done);
		if (load(other.end))
			return NULL;
		store(other.answered, ++done);
		futex(&other.answered, FUTEX_WAKE, 1);
	}
}

static void answer(void *arg)
{
	(void)arg;
	store(other.answered, other.answered + 1);
}

static void ask(void)
{
	uint32_t before = load(other.answered);

	if (inside) {
		check_ok(dbos_call(dbos_instance(), other.vcpu, answer, NULL, DBOS_CALL_WAIT));
		check(load(other.answered) == before + 1, "a call has not run");
		return;
	}
	store(other.asked, before + 1);
	futex(&other.asked, FUTEX_WAKE, 1);
	while (load(other.answered) == before)
		futex(&other.answered, FUTEX_WAIT, before);
}

/* Something is done by a thread on another processor, and we know that it has been. */
static struct sample calls(void)
{
	uint64_t start = now();

	for (int i = 0; i < EVENTS; i++)
		ask();
	return (struct sample){ now() - start, EVENTS };
}

/* False: there is no processor for it. */
static bool begin_other(void)
{
	cpu_set_t all, one;
	int first = 0, second;

	check(sched_getaffinity(0, sizeof(all), &all) == 0, "sched_getaffinity");
	if (CPU_COUNT(&all) < 2)
		return false;
	while (!CPU_ISSET(first, &all))
		first++;
	second = first + 1;
	while (!CPU_ISSET(second, &all))
		second++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	CPU_ZERO(&other.cpu);
	CPU_SET(second, &other.cpu);
	check(sched_setaffinity(0, sizeof(one), &one) == 0, "bind");
	check(pthread_create(&other.thread, NULL, be_asked, NULL) == 0, "pthread_create");
	while (!load(other.ready))
		sched_yield();
	return true;
}

static void end_other(void)
{
	store(other.end, true);
	store(other.asked, other.asked + 1);
	futex(&other.asked, FUTEX_WAKE, 1);
	check(pthread_join(other.thread, NULL) == 0, "pthread_join");
}

static const struct {
	const char *name;
	struct sample (*measure)(void);
} operations[] = {
	{ "getpid", getpids }, { "pread", preads }, { "fault", faults }, { "edit", edits },
};

static void print(const char *name, struct sample sample)
{
	printf("cost %s %lu %lu\n", name, sample.ticks, sample.events);
}

static void prepare(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	static const char zeros[PAGE];

	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	file = memfd_create("costs", 0);
	check(pages != MAP_FAILED && file >= 0, "no memory");
	check(write(file, zeros, PAGE) == (ssize_t)PAGE, "write");
	memset(pages, 1, PAGES * PAGE);
	check(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
	if (!inside)
		return;
	check_ok(dbos_init());
	check_ok(dbos_on_fault(dbos_instance(), (uintptr_t)pages,
			       (uintptr_t)pages + PAGES * PAGE, on_fault, NULL));
	check_ok(dbos_enter());
}

int main(int argc, char **argv)
{
	int repetitions = argc > 2 ? atoi(argv[2]) : 5;
	bool two;

	check(argc > 1 && (strcmp(argv[1], "native") == 0 || strcmp(argv[1], "inside") == 0),
	      "where?");
	inside = strcmp(argv[1], "inside") == 0;
	prepare();
	two = begin_other();
	/* The first round is not counted: it finds pages and code that nobody has touched. */
	for (int i = 0; i <= repetitions; i++) {
		for (size_t j = 0; j < sizeof(operations) / sizeof(operations[0]); j++) {
			struct sample sample = operations[j].measure();

			if (i > 0)
				print(operations[j].name, sample);
		}
		if (i > 0 && two)
			print("call", calls());
	}
	if (two)
		end_other();
	else
		printf("cost call -\n");
	return 0;
}
