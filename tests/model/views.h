/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots on the model, and what tests want of them: pages in two ranges of 2 MiB, views of them
 * by number, and a walk of page tables that is the tests' own.
 */
#ifndef VIEWS_H
#define VIEWS_H

#include "property.h"
#include "snappy/engine.h"
#include "snappy/snappy.h"
#include "versions.h"

#define VIEWS_BASE   0x40000000ull
#define VIEWS_POOL   240

#define VIEWS_RANGES 3		/* of 2 MiB */

/* A page that may join late, and is in 2 MiB of its own then. */
#define VIEWS_LATE   (VIEW_PAGES - 1)

/* Present, and beyond all memory: neither data nor an entry. What a page's frame is full of. */
#define POISON 0x000db00000000001ull

struct view {
	struct branch *branch;		/* NULL: there is none */
	unsigned int parent;
	unsigned int pins;		/* somebody is at it: it is not to be released */
	unsigned int writers;		/* vCPUs that are on it, or on their way */
	bool dying;			/* nobody is to begin anything with it */
	bool lacks;			/* it was there when the late page joined */
};

extern struct snappy snappy;
extern struct inflights inflights;
extern struct view views[VIEWS];

/*
 * A new schedule: pages as leaves of 2 MiB or, if @seed says so, of 4 KiB; as one member of all,
 * or as several that share their 2 MiB with each other and with what is no member. Frames that are
 * handed out are looked at from now on, and poisoned. Engines take turns from one schedule to the
 * other; where it is the turn of "instant", the others make some of the snapshots too. @late: a
 * page is no member at first.
 */
void views_begin(uint64_t seed, unsigned int limit, bool late);

/* Only so many frames are left: writes and snapshots may fail from now on (S18). */
void views_make_scarce(unsigned int left);
bool views_scarce(void);

/* @view was dropped for want of frames, and is to be released (S18). */
bool view_dropped(unsigned int view);

/* Nobody goes on snapshots in this schedule: so it is known which one is to be dropped. */
void views_nobody_attaches(void);

/* The process's pages stay where they are, and nobody has a reason to move one. */
bool views_stay(void);

uint64_t view_va(unsigned int page, unsigned int word);
uint64_t view_home(unsigned int page);		/* the page's frame at first */
uint64_t view_frame(unsigned int view, unsigned int page);	/* ... and now; 0: none */

/* The word as it is in memory, by a walk from the view's root; its frame. */
uint64_t view_word(unsigned int view, unsigned int page, unsigned int word, uint64_t *gpa);

/* A snapshot of @parent, or -1: there is no room for one more, or no frame. */
int view_create(unsigned int parent);

/*
 * In a schedule of "instant": some tables are made ready, or some given up, by the vCPU or by a
 * thread outside, for whose walks nobody waits.
 */
bool views_have_ready(void);
void views_prepare(unsigned int id);

/* Unless a vCPU is on it. */
void view_release(unsigned int view);

/* view_check(), and then that, of one that may be released. */
void view_end(unsigned int view);

/* Any that may be released, or is there for looking (@pinned); -1: none. */
int view_choose(bool pinned);

/* All of the view is what it should be, but where somebody may be writing. */
void view_check(unsigned int view);

/* The host uses the frame until it is told that it does not. */
void view_host_begins(unsigned int slot, uint64_t gpa);
void view_host_ends(unsigned int slot);

bool views_reach(uint64_t gpa);			/* one of them leads to that page or table */

/*
 * With all vCPUs gone: each frame is free, or led to by a view or the process's table. It can't be
 * used after that.
 */
void views_check_frames(void);
unsigned int views_hoarded(void);

/* views_members.c */
void views_members_choose(uint64_t seed, bool with_late);
void views_members_begin(bool large);
void views_members_add(void);

bool views_parted(void);			/* there are common pages (common.h) */
bool view_is_shared(unsigned int page);		/* with snapshots, down to its leaf table */
bool view_keeps(unsigned int page);		/* the process's is where it was at first */
/* Who has a page kept has a table of its own, and may hold the one that it was given beside it. */
void views_keep_nothing(void);
bool view_has(unsigned int view, unsigned int page);
void views_join(void);				/* the late page, unless it has */
void views_leave(void);				/* a member, for a moment */

/* Each table that is ready leads to the process's pages, and may write none. */
void views_check_ready(void);

/* The tables on the way from @root and, last, the page; 0 where there is nothing. */
void view_walk(uint64_t root, unsigned int page, uint64_t path[TABLE_LEVELS + 1]);
uint64_t view_walk_to(uint64_t root, uint64_t va, uint64_t *rights);

#endif /* VIEWS_H */
