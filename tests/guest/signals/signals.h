/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signals: each case runs outside and inside, and notes what it sees: order, codes, masks, results.
 * Both must have seen the same. What a case is about in the first place it checks itself, so that
 * two wrong notes which are alike do not pass.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "check.h"

#define LOG_SIZE 4096

extern char seen[LOG_SIZE];
extern sigjmp_buf back;
extern volatile int count;	/* calls of handlers, by the cases' own count */
extern bool inside;

/* notes.c */
__attribute__((format(printf, 1, 2))) void saw(const char *format, ...);
uint64_t mask_now(void);
void set_mask(int how, int first, int second);	/* of one or two signals */
void where(void);				/* by each handler: it runs where its case does */
void on_signal(int signo, siginfo_t *info, void *context);
void handle(int signo, void (*handler)(int, siginfo_t *, void *), int flags);

/* taking.c */
void kinds(void);
void nesting(void);
void realtime(void);
void waiting(void);
void jumping(void);
/* frames.c */
void stacks(void);
void changing(void);
void storm(void);
void children(void);
/* faults.c */
void faults(void);
void mending(void);
/* calls.c */
void interrupted(void);
/* threads.c */
void threads(void);
void moving(void);
/* ends.c */
void ending(void);
int broken(void);	/* inside only */

#endif /* SIGNALS_H */
