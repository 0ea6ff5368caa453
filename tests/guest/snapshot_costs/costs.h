/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the program share: see main.c. */
#ifndef SNAPSHOT_COSTS_H
#define SNAPSHOT_COSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <dbos/mm.h>

#include "check.h"

#define PAGE	DBOS_PAGE_SIZE
#define RANGE	DBOS_HUGE_SIZE
#define WRITERS 2
#define SECONDS 2			/* that a rate is measured for */

extern volatile char *memory;		/* what snapshots are taken of */
extern size_t size;			/* a power of two */

/* What one snapshot has, beside the memory that was there before. */
struct weight {
	uint64_t tables, pages;		/* of page tables, and copied; 4 KiB each */
};

/* A way to have snapshots. One at a time. */
struct method {
	const char *name;
	void (*prepare)(void);		/* before it is taken; not counted; may be NULL */
	void (*make_ready)(void);	/* before each; a part of what many cost; may be NULL */
	void (*take)(const struct method *method);
	void (*drop)(void);
	void (*forget)(void);		/* undoes prepare() */
	uint64_t (*scan)(void);		/* has the snapshot summed up; NULL: by itself only */
	void (*weigh)(struct weight *weight);
	unsigned int flags;		/* of dbos_snap_create() */
	bool waits;			/* at each write, until who reads a snapshot has flushed */
};

/* Memory that all of a place's methods are for, and what a writer has to do first and last. */
struct place {
	const char *name;
	void (*begin)(void);
	void (*enter)(void);
	void (*leave)(void);
	void (*end)(void);
	const struct method *methods;
	size_t count;
};

extern const struct place native, huge, inside;

/* Methods of Linux's, beside fork(). */
extern const struct method protect_method, userfault_method;

/* All words, one after the other. */
uint64_t sum_up(void);

/* Each page is there, and is written. */
void fill(void);

/* By the time-stamp counter; not before what comes first, nor behind what comes next. */
static inline uint64_t now(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* Of wall time, or of what the engine has for it. */
static inline uint64_t milliseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000ul + time.tv_nsec / 1000000;
}

/* Page number @i of an order that comes to each page once, and is far from that before. */
static inline volatile char *scattered(size_t i)
{
	return memory + (i * 0x9e3779b1ul & (size / PAGE - 1)) * PAGE;
}

static inline void begin_method(const struct method *method)
{
	if (method->prepare)
		method->prepare();
}

static inline void make_ready(const struct method *method)
{
	if (method->make_ready)
		method->make_ready();
}

static inline void end_method(const struct method *method)
{
	if (method->forget)
		method->forget();
}

/* What is measured; each prints lines that main.c describes. */
void measure_create(const struct place *place, const struct method *method, bool print);
void measure_writes(const struct place *place, const struct method *method, bool print);
void measure_two(const struct place *place, const struct method *method, bool print);
void measure_memory(const struct place *place, const struct method *method, bool print);
void measure_cycle(const struct place *place, const struct method *method, bool print);
void measure_sustained(const struct place *place, const struct method *method, bool print);
void measure_both(const struct place *place, const struct method *method, bool print);

#endif /* SNAPSHOT_COSTS_H */
