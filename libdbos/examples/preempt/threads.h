/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preemptive user threads on one vCPU: the timer interrupt switches, and the host knows of one
 * thread only. All functions inside, on the vCPU that called threads_start().
 *
 * They share the host thread's thread-local data, so no two of them may be in libc at once but in
 * functions that have no state; GS is the thread's own (thread_self). A system call blocks all.
 */
#ifndef THREADS_H
#define THREADS_H

#include <stdint.h>

#include <dbos/dbos.h>

struct thread;

/* The caller becomes the first thread. @period: of the timer, in nanoseconds. Once. 0 or -errno. */
int threads_start(struct dbos *dbos, uint64_t period);
/* No more switches, unless by thread_yield(). */
void threads_stop(struct dbos *dbos);

/* NULL: no memory. It runs when its turn comes, and ends when @fn returns. */
struct thread *thread_create(void (*fn)(void *arg), void *arg);
/* Waits until it has ended, and gives it back. */
void thread_join(struct thread *thread);
void thread_yield(void);

static inline struct thread *thread_self(void)
{
	struct thread *self;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(self));
	return self;
}

/* Interrupts, and so switches, are off in between. They nest. */
static inline uint64_t preemption_off(void)
{
	uint64_t flags;

	/* Past the red zone. */
	__asm__ volatile("lea -128(%%rsp), %%rsp; pushf; pop %0; lea 128(%%rsp), %%rsp; cli"
			 : "=r"(flags) : : "memory");
	return flags;
}

static inline void preemption_restore(uint64_t flags)
{
	if (flags & 0x200)
		__asm__ volatile("sti" : : : "memory");
}

/* Switches that the timer has made so far, and its interrupts. */
struct threads_stats {
	uint64_t preemptions, ticks;
};

struct threads_stats threads_stats(void);

#endif /* THREADS_H */
