// SPDX-License-Identifier: BSD-2-Clause
/*
 * smp [ROUNDS]: what vCPUs do to one another (T1 to T4 on real ones, with the model's oracles in
 * small). Each step prints its name; the last line is "smp: ok". A wait that has no end is one of
 * the failures: the alarm ends it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>
#include <dbos/smp.h>

#include "check.h"
#include "partner.h"

#define LEAF (DBOS_PTE_P | DBOS_PTE_W)

static struct dbos *dbos;
static uint64_t rounds = 200;

/* Guest code that leaves it for nothing. */
static void compute(void)
{
	for (int i = 0; i < 100; i++)
		__asm__ volatile("pause" : : : "memory");
}

/* One page that shows this frame or that one; each is full of its number. */
static struct {
	volatile uint64_t *page;
	volatile dbos_pte_t *entry;
	uint64_t gpa[2];
	uint64_t flushed;	/* what whoever has been told to flush must see at least */
	uint64_t sequence;
} remap;

static void prepare_remap(void)
{
	remap.page = mmap(NULL, DBOS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	check(remap.page != MAP_FAILED, "mmap");
	remap.page[0] = 0;
	check_ok(dbos_pte(dbos, (void *)remap.page, &remap.entry));
	for (int i = 0; i < 2; i++) {
		remap.gpa[i] = dbos_frame_alloc(dbos);
		check(remap.gpa[i], "no frame");
	}
}

/* The page's word becomes @sequence, by another frame. */
static uint64_t remap_page(uint64_t sequence, enum dbos_flush how)
{
	uint64_t *frame = dbos_frame_memory(dbos, remap.gpa[sequence % 2]), generation;

	*frame = sequence;
	store(*remap.entry, remap.gpa[sequence % 2] | LEAF);
	check_ok(dbos_flush(dbos, (void *)remap.page, 1, how, &generation));
	check(generation, "a flush without a generation");
	return generation;
}

/*
 * Frames alternate, and the one that is not shown goes on being written: with a stale translation
 * a reader sees a word that is older than what was flushed before it began to read.
 */
static void read_page(void)
{
	for (int i = 0; i < 100; i++) {
		uint64_t least = load(remap.flushed);
		uint64_t seen = *remap.page;

		check(seen >= least, "page shows %lu, flushed was %lu", seen, least);
	}
}

static void remapped_page_is_seen(void)
{
	struct dbos_flush_stats before, after;

	begin_partner(read_page);
	check_ok(dbos_flush_stats(dbos, &before));
	for (uint64_t i = 0; i < rounds; i++) {
		remap_page(++remap.sequence, DBOS_FLUSH_SYNC);
		store(remap.flushed, remap.sequence);
		compute();
	}
	check_ok(dbos_flush_stats(dbos, &after));
	end_partner();
	check(after.interrupts - before.interrupts >= rounds / 2,
	      "%lu flushes of a vCPU inside made %lu interrupts", rounds,
	      after.interrupts - before.interrupts);
	check(after.pages - before.pages >= rounds, "%lu pages flushed",
	      after.pages - before.pages);
	printf("remap: ok\n");
}

/* Keeps a translation, and its system calls are the only chance to lose it. */
static void read_after_system_call(void)
{
	uint64_t least = load(remap.flushed);

	syscall(SYS_getppid);
	for (int i = 0; i < 50; i++) {
		uint64_t seen = *remap.page;

		check(seen >= least, "after a system call the page shows %lu, flushed was %lu",
		      seen, least);
	}
}

static void lazy_flush_ends_at_a_system_call(void)
{
	begin_partner(read_after_system_call);
	for (uint64_t i = 0; i < rounds; i++) {
		remap_page(++remap.sequence, DBOS_FLUSH_LAZY);
		store(remap.flushed, remap.sequence);
		compute();
	}
	end_partner();
	printf("lazy: ok\n");
}

static int sleeper[2];
static uint64_t sleeper_flushes;

static void sleep_in_host(void)
{
	struct dbos_flush_stats stats;
	char byte;

	check(read(sleeper[0], &byte, 1) == 1, "read");
	read_page();
	check_ok(dbos_flush_stats(dbos, &stats));
	store(sleeper_flushes, stats.all);
}

static void wake(void)
{
	check(write(sleeper[1], "", 1) == 1, "write");
}

/*
 * It sleeps until it is flushed: were it waited for, that would be never. That it flushes when it
 * is back only its counter tells, where an emulator's TLB does not survive a world switch.
 */
static void nobody_waits_for_the_host(void)
{
	uint64_t flushes;

	check(pipe(sleeper) == 0, "pipe");
	wake();
	begin_partner(sleep_in_host);
	flushes = load(sleeper_flushes);
	for (uint64_t i = 0; i < rounds / 4; i++) {
		uint64_t acts = load(partner.acts);

		usleep(200);
		remap_page(++remap.sequence, DBOS_FLUSH_SYNC);
		store(remap.flushed, remap.sequence);
		check_ok(dbos_stop_world(dbos));
		wake();
		usleep(200);
		check(load(partner.acts) == acts, "a system call returned to a stopped world");
		check_ok(dbos_start_world(dbos));
		while (load(partner.acts) == acts)
			sched_yield();
	}
	flushes = load(sleeper_flushes) - flushes;
	check(flushes >= rounds / 4, "%lu flushes on the way in", flushes);
	store(partner.end, 1);
	wake();
	end_partner();
	printf("host: ok\n");
}

static void enter_and_leave(void)
{
	check_ok(dbos_leave());
	check_ok(dbos_enter());
	read_page();
}

static void nobody_waits_for_who_comes_and_goes(void)
{
	begin_partner(enter_and_leave);
	for (uint64_t i = 0; i < rounds; i++) {
		remap_page(++remap.sequence, DBOS_FLUSH_SYNC);
		store(remap.flushed, remap.sequence);
	}
	end_partner();
	printf("leaving: ok\n");
}

static struct {
	uint64_t ran, wrong;
} calls;

static void receive(void *arg)
{
	if ((uint64_t)arg != calls.ran || dbos_self() != partner.number)
		calls.wrong++;
	store(calls.ran, calls.ran + 1);
}

/* Registers, flags and the red zone of a leaf function, which calls interrupt. */
static void hold_patterns(void)
{
	uint64_t bad = 0;

	__asm__ volatile("movq %[pattern], %%xmm7\n"
			 "	mov %[pattern], %%r12\n"
			 "	mov %[pattern], -8(%%rsp)\n"
			 "	mov %[pattern], -120(%%rsp)\n"
			 "	mov $2000, %%ecx\n"
			 "	stc\n"
			 "1:	setnc %%al\n"
			 "	movzbl %%al, %%eax\n"
			 "	or %%rax, %[bad]\n"
			 "	dec %%ecx\n"		/* leaves CF alone */
			 "	stc\n"
			 "	jnz 1b\n"
			 "	movq %%xmm7, %%rax\n"
			 "	xor %[pattern], %%rax\n"
			 "	or %%rax, %[bad]\n"
			 "	xor %[pattern], %%r12\n"
			 "	or %%r12, %[bad]\n"
			 "	mov -8(%%rsp), %%rax\n"
			 "	xor %[pattern], %%rax\n"
			 "	or %%rax, %[bad]\n"
			 "	mov -120(%%rsp), %%rax\n"
			 "	xor %[pattern], %%rax\n"
			 "	or %%rax, %[bad]\n"
			 : [bad] "+&r"(bad)
			 : [pattern] "r"(0x123456789abcdef0ull)
			 : "rax", "rcx", "r12", "xmm7", "cc", "memory");
	check(bad == 0, "an interrupt has changed %#lx", bad);
}

static void call_partner(uint64_t count, unsigned int flags)
{
	for (uint64_t i = 0; i < count; i++)
		check_ok(dbos_call(dbos, partner.number, receive, (void *)i,
				   i % 32 == 31 ? flags | DBOS_CALL_WAIT : flags));
}

static void calls_run_once_and_in_order(void)
{
	calls.ran = calls.wrong = 0;
	begin_partner(hold_patterns);
	call_partner(rounds, 0);
	end_partner();
	check(calls.ran == rounds && calls.wrong == 0, "%lu calls of %lu, %lu of them wrong",
	      calls.ran, rounds, calls.wrong);
	check(dbos_call(dbos, partner.number, receive, NULL, 0) == -ESRCH, "it is gone");
	check(dbos_call(dbos, 300, receive, NULL, 0) == -ESRCH, "there are 256");
	printf("calls: ok\n");
}

/* It ends by exit, inside, while it is called: each call runs, or is refused. */
static void a_thread_that_ends_answers(void)
{
	for (uint64_t i = 0; i < rounds / 4; i++) {
		uint64_t made = 0;
		int ret;

		calls.ran = calls.wrong = 0;
		begin_partner(compute);
		partner.end_inside = true;
		store(partner.end, 1);
		while ((ret = dbos_call(dbos, partner.number, receive, (void *)made,
					DBOS_CALL_WAIT)) == 0)
			made++;
		check(ret == -ESRCH, "a call to a thread that ends: %s", strerror(-ret));
		check(pthread_join(partner.thread, NULL) == 0, "pthread_join");
		check(calls.ran == made && calls.wrong == 0, "%lu calls of %lu ran", calls.ran,
		      made);
	}
	printf("ending: ok\n");
}

static void the_world_stands_still(void)
{
	begin_partner(compute);
	for (uint64_t i = 0; i < rounds / 4; i++) {
		uint64_t acts;

		check_ok(dbos_stop_world(dbos));
		acts = load(partner.acts);
		for (int j = 0; j < 20; j++)
			compute();
		check(load(partner.acts) == acts, "a vCPU ran in a stopped world");
		check(dbos_call(dbos, partner.number, receive, NULL, DBOS_CALL_WAIT) == -EDEADLK,
		      "a call was waited for in a stopped world");
		check_ok(dbos_start_world(dbos));
		while (load(partner.acts) == acts)
			compute();
	}
	end_partner();
	printf("world: ok\n");
}

static uint64_t stops;

static void *stop_from_outside(void *arg)
{
	for (uint64_t i = 0; i < rounds / 4; i++) {
		check_ok(dbos_stop_world(dbos));
		check(dbos_stop_world(dbos) == -EALREADY, "the world was stopped twice");
		stops++;
		compute();
		check_ok(dbos_start_world(dbos));
	}
	return arg;
}

/* Threads that are not inside stop it as well, and one another. */
static void the_world_is_stopped_from_outside(void)
{
	pthread_t threads[2];

	begin_partner(compute);
	for (int i = 0; i < 2; i++)
		check(pthread_create(&threads[i], NULL, stop_from_outside, NULL) == 0, "create");
	for (int i = 0; i < 2; i++)
		check(pthread_join(threads[i], NULL) == 0, "join");
	end_partner();
	check(stops == rounds / 4 * 2, "%lu stops", stops);
	printf("outside: ok\n");
}

/*
 * Frames that were mapped do not come back while the partner may reach them: it sees what it may
 * see, old as it is, but never the zero that whoever gets a frame writes first.
 */
static void frames_come_back_when_nobody_can_reach_them(void)
{
	begin_partner(read_page);
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t old = remap.gpa[remap.sequence % 2], generation;

		remap.gpa[(remap.sequence + 1) % 2] = dbos_frame_alloc(dbos);
		check(remap.gpa[(remap.sequence + 1) % 2], "no frame after %lu", i);
		store(*(uint64_t *)dbos_frame_memory(dbos, remap.gpa[(remap.sequence + 1) % 2]), 0);
		compute();
		generation = remap_page(++remap.sequence, DBOS_FLUSH_LAZY);
		dbos_frame_retire(dbos, old, generation);
	}
	end_partner();
	printf("frames: ok\n");
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 0);
	alarm(60);
	check_ok(dbos_init());
	dbos = dbos_instance();
	check(dbos_self() == -EINVAL, "a number outside");
	check_ok(dbos_enter());
	check(dbos_self() == 0, "the first vCPU has number %d", dbos_self());
	prepare_remap();
	remapped_page_is_seen();
	lazy_flush_ends_at_a_system_call();
	nobody_waits_for_the_host();
	nobody_waits_for_who_comes_and_goes();
	calls_run_once_and_in_order();
	a_thread_that_ends_answers();
	the_world_stands_still();
	the_world_is_stopped_from_outside();
	frames_come_back_when_nobody_can_reach_them();
	check_ok(dbos_leave());
	printf("smp: ok\n");
	return 0;
}
