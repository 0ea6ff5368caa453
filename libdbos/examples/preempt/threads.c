// SPDX-License-Identifier: BSD-2-Clause
/*
 * A switch happens in a trap handler, always: that of the timer, or of the vector that a thread
 * raises itself when it yields or ends. The trap frame and the vector registers saved beside it are
 * the interrupted thread's; the handler puts another thread's in their place and returns. What no
 * trap saves is the GS base.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <dbos/timer.h>

#include "threads.h"

#define YIELD_VECTOR 0x30
#define STACK_SIZE   (64 * 1024)
#define VECTORS_MAX  (16 * 1024)

#define MXCSR_OFFSET  24
#define MXCSR_DEFAULT 0x1f80u
#define FCW_DEFAULT   0x37fu

struct thread {
	struct thread *self;	/* at GS:0 */
	struct dbos_tf tf;
	uint64_t gs_base;
	struct thread *next;	/* in the circle of those that run */
	bool ended;
	void (*fn)(void *arg);
	void *arg;
	char *stack;
	char vectors[VECTORS_MAX] __attribute__((aligned(64)));
};

/* Of the one vCPU; changed with interrupts off. */
static struct thread first, *current;
static struct threads_stats stats;

static void save(struct thread *thread, const struct dbos_tf *tf)
{
	size_t size;
	const void *vectors = dbos_tf_vectors(tf, &size);

	thread->tf = *tf;
	memcpy(thread->vectors, vectors, size);
	__asm__ volatile("rdgsbase %0" : "=r"(thread->gs_base));
}

static void load(const struct thread *thread, struct dbos_tf *tf)
{
	size_t size;
	void *vectors = dbos_tf_vectors(tf, &size);

	*tf = thread->tf;
	memcpy(vectors, thread->vectors, size);
	__asm__ volatile("wrgsbase %0" : : "r"(thread->gs_base));
}

/* To the next in the circle, which a thread that has ended leaves. */
static bool switch_threads(struct dbos_tf *tf)
{
	struct thread *from = current, *before = from;

	if (from->next == from)
		return false;
	save(from, tf);
	if (from->ended) {
		while (before->next != from)
			before = before->next;
		before->next = from->next;
	}
	current = from->next;
	load(current, tf);
	return true;
}

static enum dbos_verdict on_tick(void *arg, struct dbos_tf *tf)
{
	(void)arg;
	stats.ticks++;
	stats.preemptions += switch_threads(tf);
	return DBOS_HANDLED;
}

static enum dbos_verdict on_yield(void *arg, struct dbos_tf *tf)
{
	(void)arg;
	switch_threads(tf);
	return DBOS_HANDLED;
}

/* The frame is saved off the red zone, as every trap's. */
void thread_yield(void)
{
	__asm__ volatile("int %0" : : "N"(YIELD_VECTOR) : "memory");
}

static void run_thread(struct thread *thread)
{
	thread->fn(thread->arg);
	preemption_off();
	thread->ended = true;
	thread_yield();
	__builtin_unreachable();
}

static void set_registers(struct thread *thread)
{
	uint16_t cs, ss;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	__asm__ volatile("mov %%ss, %0" : "=r"(ss));
	thread->tf = (struct dbos_tf){
		.rip = (uint64_t)run_thread,
		.rdi = (uint64_t)thread,
		.rsp = (uint64_t)thread->stack + STACK_SIZE - 8,	/* as behind a CALL */
		.rflags = 0x202,
		.cs = cs,
		.ss = ss,
	};
	thread->gs_base = (uint64_t)thread;
	/* XSTATE_BV 0: the initial state of all but MXCSR (SDM 1 13.8). FXRSTOR takes both. */
	memcpy(thread->vectors, &(uint16_t){ FCW_DEFAULT }, 2);
	memcpy(thread->vectors + MXCSR_OFFSET, &(uint32_t){ MXCSR_DEFAULT }, 4);
}

struct thread *thread_create(void (*fn)(void *arg), void *arg)
{
	struct thread *thread = aligned_alloc(64, sizeof(*thread));
	uint64_t flags;

	if (!thread)
		return NULL;
	memset(thread, 0, sizeof(*thread));
	thread->self = thread;
	thread->fn = fn;
	thread->arg = arg;
	thread->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (thread->stack == MAP_FAILED) {
		free(thread);
		return NULL;
	}
	set_registers(thread);
	flags = preemption_off();
	thread->next = current->next;
	current->next = thread;
	preemption_restore(flags);
	return thread;
}

void thread_join(struct thread *thread)
{
	while (!__atomic_load_n(&thread->ended, __ATOMIC_ACQUIRE))
		thread_yield();
	munmap(thread->stack, STACK_SIZE);
	free(thread);
}

int threads_start(struct dbos *dbos, uint64_t period)
{
	int ret;

	first.self = first.next = current = &first;
	__asm__ volatile("wrgsbase %0" : : "r"(&first));
	ret = dbos_on_intr(dbos, YIELD_VECTOR, on_yield, NULL);
	if (!ret)
		ret = dbos_on_intr(dbos, DBOS_TIMER_VECTOR, on_tick, NULL);
	return ret ? ret : dbos_timer(dbos, period);
}

void threads_stop(struct dbos *dbos)
{
	dbos_timer(dbos, 0);
	__asm__ volatile("wrgsbase %0" : : "r"(0ul));
}

struct threads_stats threads_stats(void)
{
	return stats;
}
