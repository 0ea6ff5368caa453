/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture: guests read and write known patterns while the host does everything to their memory
 * that a host can do.
 *
 *	region.c	the memory: what kinds of it, and words of it seen from the host
 *	worker.c	guests: what a page may hold at each moment, and what would be stale
 *	operations.c	the host: one function for each thing done to a region
 *	main.c		draws operations from the seed and reports
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE		4096ul
#define HUGE		(2ul << 20)
#define WORDS		8	/* of each page that are written and read, evenly spread */
#define WORKERS		2
#define MAX_PAGES	1024
#define POISON		0xdeadbeefdeadbeefull

enum kind { ANON, MERGED, THP, SHARED, HUGETLB, KINDS };
#define IN(kind) (1u << (kind))

/*
 * What a worker knows of a page that is its alone. A drop (an operation that zeroes a region) has
 * a number; drops_done at the start and drops_begun at the end of a write tell which came after.
 */
struct page_record {
	uint64_t version;		/* last written, 0: never */
	uint64_t drops_before;		/* drops_done when the write started */
	uint64_t drops_until;		/* drops_begun when it had ended */
	uint64_t frees_before;		/* frees_done when it started */
};

struct region {
	enum kind kind;
	char *base;			/* where guests see it, always the same address */
	size_t size;
	char *shadow;			/* room to move it to */
	int file;			/* SHARED, HUGETLB: twice the size */
	char *alias;			/* the same file, only for the host */
	size_t offset;			/* which half of the file is at base */
	volatile uint64_t drops_begun, drops_done;
	volatile uint64_t frees_begun, frees_done;
	struct page_record record[MAX_PAGES];
};

struct torture {
	struct region region[KINDS];
	volatile bool stop;
	unsigned int entered;		/* workers in guest mode */
	uint64_t random;
	int uffd;
	char reclaim[256];		/* a file: how much our cgroup has to give back */
};

struct worker {
	struct torture *torture;
	unsigned int id;
	uint64_t random;
	volatile uint64_t reads, writes, zeroes;
};

struct operation {
	const char *name;
	unsigned int kinds;		/* IN(kind), or 0: of no region */
	void (*run)(struct torture *torture, struct region *region);
	uint64_t count;
};

uint64_t next_random(uint64_t *state);

/* region.c */
void regions_create(struct torture *torture);
static inline volatile uint64_t *word_of(char *memory, size_t page, unsigned int i)
{
	return (volatile uint64_t *)(memory + page * PAGE + i * (PAGE / WORDS));
}
void words_copy(uint64_t *to, char *from, size_t size);
void words_restore(char *to, const uint64_t *from, size_t size);
void words_poison(char *memory, size_t size);
long words_changed(char *memory, const uint64_t *seen, size_t size);
long words_unpoisoned(char *memory, size_t size);

/* worker.c */
void *worker_run(void *worker);

/* operations.c */
extern struct operation operations[];
extern const unsigned int operation_count;
void operations_setup(struct torture *torture, const char *cgroup);

#endif /* TORTURE_H */
