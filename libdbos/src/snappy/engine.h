/* SPDX-License-Identifier: BSD-2-Clause */
/* How a snapshot comes by its page table. All else is the same for all engines. */
#ifndef DBOS_ENGINE_H
#define DBOS_ENGINE_H

#include "snappy/snappy.h"

struct engine {
	const char *name;
	bool shares;			/* leaf tables of the parent's are given to the child */
	/* The child's upper levels. The world is stopped. -ENOMEM. */
	int (*make_root)(struct snappy *snappy, const struct branch *parent, struct branch *child);
	/*
	 * The entry for the 2 MiB at @range, of members, in the parent's page directory: returns
	 * the one for the child's, where make_root() has put @childs, and sees to it that neither
	 * writes what the other has. The world is stopped, and flushed behind it. Tables made here
	 * belong to the child. 0 for -ENOMEM, if *entry is present.
	 */
	uint64_t (*share)(struct snappy *snappy, uint64_t *entry, uint64_t childs, uint64_t range);
};

extern const struct engine lazy_engine, epoch_engine, instant_engine;

/* frames.c: for tables and for pages, which live in epoch @birth on. 0: none is left. */
uint64_t snappy_new_table(struct snappy *snappy, unsigned int level, uint64_t birth);
uint64_t snappy_new_page(struct snappy *snappy, uint64_t birth);

/* Of a frame that was never mapped, or that nobody has since he has flushed. */
void snappy_drop(struct snappy *snappy, uint64_t gpa);

/*
 * @branch, whose own the frame was, does not map it any more. @level 0: a page, and who is on the
 * branch has flushed @generation; else a table. It is free, or some snapshot's yet.
 */
void snappy_unlink(struct snappy *snappy, struct branch *branch, uint64_t gpa, unsigned int level,
		   uint64_t generation);
void snappy_free_lives(struct snappy *snappy, struct life *lives);

/* A member's own frames that rest: how many; and they are not handed out any more. */
uint64_t snappy_resting_of(struct snappy *snappy, const struct lives_extent *extent);
void snappy_wake(struct snappy *snappy, const struct lives_extent *extent);

/* join.c: there is nothing at [va, end), whole 2 MiB, in any snapshot. -ENOMEM. */
int snappy_hide(struct snappy *snappy, uint64_t va, uint64_t end);

/* roots.c: the upper levels, which no two branches have in common where there are members. */
uint64_t *snappy_pde(const struct snappy *snappy, const struct branch *branch, uint64_t va);

/* The same for who goes through a member: from the entry for the 2 MiB before, or from NULL. */
static inline uint64_t *snappy_next_pde(const struct snappy *snappy, const struct branch *branch,
					uint64_t va, uint64_t *before)
{
	return before && va % level_size(3) ? before + 1 : snappy_pde(snappy, branch, va);
}

/* Down to the page directory for @va all becomes the branch's own; -ENOMEM. In a stopped world. */
int snappy_own_path(struct snappy *snappy, struct branch *branch, uint64_t va);
int snappy_copy_root(struct snappy *snappy, const struct branch *parent, struct branch *child);
void snappy_free_root(struct snappy *snappy, struct branch *branch);

/* What is no member's, above the leaf tables of a branch made before, becomes the process's. */
void snappy_refresh_root(struct snappy *snappy, const struct branch *branch);

/* members.c: where the page is that a member was added with at @va; 0: it is no member's. */
uint64_t snappy_home(const struct snappy *snappy, uint64_t va);

/* The first 2 MiB from @va on, which begins some, that hold pages of members; 0: there are none. */
uint64_t snappy_next_range(const struct snappy *snappy, uint64_t va);

/* In a stopped world. */
void snappy_forget_member(struct snappy *snappy, uint64_t va, struct lives_extent *extent);

/* Pages [first, end) of some 2 MiB. */
struct span {
	uint64_t first, end;
};

/*
 * The next pages behind *span that are of one member, in the 2 MiB at @range. False: there are no
 * more. It begins with { 0, 0 }.
 */
bool snappy_next_span(const struct snappy *snappy, uint64_t range, struct span *span);

/*
 * copies.c: what the 2 MiB at @range are as a table, with no right to write to members' pages.
 * Others are as they were.
 */
void snappy_fill_table(struct snappy *snappy, uint64_t gpa, uint64_t from, uint64_t range);

/*
 * The table of the 2 MiB at @range, which @entry leads to, loses all rights to write to members.
 * Returns the bits that any of their entries had.
 */
uint64_t snappy_forbid_writing(struct snappy *snappy, uint64_t entry, uint64_t range);

/* fill_table(), in a stopped world: members' entries have no other bits to lose than of @had. */
void snappy_copy_table(struct snappy *snappy, uint64_t gpa, uint64_t from, uint64_t range,
		       uint64_t had);
void snappy_copy_page(struct snappy *snappy, uint64_t to, uint64_t from);

/* Entries are looked at as many at a time: most have none of @bits. */
#define ENTRIES_AT_ONCE 8

static inline uint64_t entries_bits(const uint64_t *entry)
{
	return entry[0] | entry[1] | entry[2] | entry[3] | entry[4] | entry[5] | entry[6] |
	       entry[7];
}

/* For each of the span that has any of @bits. Returns all bits that any has. */
static inline uint64_t entries_change(uint64_t *entries, struct span span, uint64_t bits,
				      void (*change)(uint64_t *entry, uint64_t bits))
{
	uint64_t i = span.first, end, seen = 0, some;

	while (i < span.end) {
		end = i + 1;
		if (i % ENTRIES_AT_ONCE == 0 && i + ENTRIES_AT_ONCE <= span.end)
			end = i + ENTRIES_AT_ONCE;
		some = end - i == ENTRIES_AT_ONCE ? entries_bits(&entries[i]) : entries[i];
		seen |= some;
		for (; some & bits && i < end; i++) {
			if (entries[i] & bits)
				change(&entries[i], bits);
		}
		i = end;
	}
	return seen;
}

#define ENTRY_TABLE (DBOS_PTE_P | DBOS_PTE_U | DBOS_PTE_A)

static inline bool entry_is_table(uint64_t entry)
{
	return entry & DBOS_PTE_P && !(entry & DBOS_PTE_PS);
}

#endif /* DBOS_ENGINE_H */
