/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lifecycle: virtual machines come, run, and go, in every order and at any moment.
 *
 *	cycles.c	one after another, very often
 *	crowd.c		many processes at once, each with its own
 *	race.c		requests from many threads on one VM and one vCPU
 *	close.c		descriptors closed under a vCPU that runs
 *	kill.c		processes killed wherever they are
 *	hold.c		guests that run while something happens to the host
 *
 * Each is a command of the program, see main.c. What is left behind is for the suite to find.
 */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include <stdatomic.h>

#include "conformance/conformance.h"

struct command {
	const char *name, *usage;
	int arguments;
	void (*run)(char **arguments);
};

/* Adds up the numbers below RCX in RDX and halts; counts in GUEST_DATA for ever. */
extern const char guest_sum[], guest_sum_end[], guest_count[], guest_count_end[];
/* Runs the first and checks what it says. */
void expect_sum(struct machine *machine, uint64_t limit);
/* Gives back all that machine_create() made, vCPU or VM first. */
void machine_destroy(struct machine *machine, bool vm_first);
/* Waits for the guest to count on. */
void expect_counting(const struct machine *machine);
/* A shared page of zeroes, for a process and its children. */
void *share(size_t size);
/* xorshift64 */
uint64_t next_random(uint64_t *state);

void run_cycles(char **arguments);
void run_crowd(char **arguments);
void run_race(char **arguments);
void run_close(char **arguments);
void run_kill(char **arguments);
void run_hold(char **arguments);

#endif /* LIFECYCLE_H */
