/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions that one vCPU has another one run, with interrupts off. Each vCPU has one ring for
 * all senders; a place in it is a ticket, and tickets are served in order. So a sender's calls run
 * in the order in which it made them, each once, and a full ring makes senders wait, not lose.
 */
#ifndef DBOS_CALLS_H
#define DBOS_CALLS_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct cpus;

#define CALLS_RING 16

typedef void (*call_fn)(void *arg);

struct call {
	uint64_t turn;		/* 2r: free for the r-th time; 2r + 1: a call is in it */
	call_fn fn;
	void *arg;
};

struct calls {
	uint64_t tail;		/* the next ticket; CALLS_OPEN: there is a vCPU to serve it */
	uint64_t done;		/* tickets below it are served */
	bool running;		/* the owner's alone: calls don't nest */
	struct call ring[CALLS_RING];
};

#define CALLS_OPEN (1ull << 63)

#define CALL_WAIT (1u << 0)	/* return when it has run */
#define CALL_TRY  (1u << 1)	/* do not wait for a place */

/*
 * 0; -ESRCH: no such vCPU inside or in the host; -EAGAIN: CALL_TRY, and the ring is full;
 * -EDEADLK: would wait inside of a call, or while the caller has stopped the world. A call to
 * oneself runs at once. One to a vCPU in the host runs when it is back. While it waits, the
 * calling vCPU serves others: it flushes, runs its own calls, and stops with the world; so from
 * anywhere but under a spinlock or with a locked page-table entry.
 */
int calls_send(struct cpus *cpus, unsigned int to, call_fn fn, void *arg, unsigned int flags);

/* By the vCPU itself. */
void calls_open(struct cpu *cpu);
void calls_run(struct cpu *cpu);
/* Refuses further ones and runs those that are there. */
void calls_close(struct cpu *cpu);
bool calls_waiting(const struct cpu *cpu);

#endif /* DBOS_CALLS_H */
