/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine: vCPUs, one range of each page table, and TLBs that keep all that they may.
 *
 * A root is one entry (a PDE) that names a leaf table of PAGES entries. Root 0 is main's, root s
 * that of snapshot s.
 *
 * A TLB is modelled as a set: every translation that the vCPU could have fetched since it last
 * flushed and that the page table no longer says. Any access may use any of them, or walk. That is
 * a superset of what a processor does, which keeps some of these, evicts some, and fetches at
 * moments of its own: an entry that still says what the table says cannot be told from a walk, so
 * it is enough to remember the old value at the moment at which an entry changes. Nothing is drawn,
 * and nothing is lost. Paging-structure caches are the set of leaf tables that were linked since
 * the last flush: translations through them are put into the set of translations.
 *
 * Memory is sequentially consistent. Store buffers, and the barriers they need, are what
 * tests/model is for; here the two orders that these barriers keep are switches.
 */

#define MAIN 0
#define ROOTS (SNAPSHOTS + 1)

byte where[VCPUS];
byte view[VCPUS];			/* the root that is loaded: CR3 */
byte root_table[ROOTS];
bool root_w[ROOTS];

byte pte_frame[TABLES * PAGES];
byte pte_w[TABLES];			/* sets of pages */
byte pte_lock[TABLES];

byte memory[FRAMES];			/* what is in a frame: one word that stands for the page */

int stale[VCPUS];			/* sets of TRANSLATION() */
short stale_tables[VCPUS];		/* sets of LINK() */

/* Temporary, in one step: no part of a state. */
hidden byte v_, p_, f_, t_, s_;
hidden int set_;

#define ENTRY(t, p) (t) * PAGES + (p)
#define BIT(n) (1 << (n))
#define ALL_PAGES (BIT(PAGES) - 1)
#define TRANSLATION(p, f, w) BIT(((p) * FRAMES + (f)) * 2 + (w))
#define TRANSLATIONS_OF(p) ((BIT(2 * FRAMES) - 1) << ((p) * FRAMES * 2))
#define WRITABLE_TRANSLATIONS_OF(p) (TRANSLATIONS_OF(p) & EVERY_OTHER_BIT)
#define EVERY_OTHER_BIT 2863311530	/* those with w: 0xaaaaaaaa */
#define LINK(t, w) BIT((t) * 2 + (w))

/* What a walk through table t finds, where the entry above has right w. */
#define WALK_W(t, p, w) ((w) && (pte_w[t] & BIT(p)) -> 1 : 0)
#define WALK(t, p, w) TRANSLATION(p, pte_frame[ENTRY(t, p)], WALK_W(t, p, w))

#define LOADED_TABLE(v) root_table[view[v]]
#define LOADED_W(v) root_w[view[v]]
#define CURRENT_TRANSLATION(v, p) WALK(LOADED_TABLE(v), p, LOADED_W(v))

/* Whether an access of v to page p may reach frame f, and write there. */
#define MAY_USE(v, p) (stale[v] | CURRENT_TRANSLATION(v, p))
#define REACHES(v, p, f) (MAY_USE(v, p) & (TRANSLATION(p, f, 0) | TRANSLATION(p, f, 1)))
#define MAY_WRITE(v, p, f) (MAY_USE(v, p) & TRANSLATION(p, f, 1))

/* What software finds in a root's table. */
#define SHOWS(r, p) pte_frame[ENTRY(root_table[r], p)]
#define IS_WRITABLE(r, p) (root_w[r] && (pte_w[root_table[r]] & BIT(p)))

/* Around a change of entry p of table t: who may go on with what it says now. */
inline remember_entry(t, p)
{
	for (v_ : 0 .. VCPUS - 1) {
		if
		:: LOADED_TABLE(v_) == t -> stale[v_] = stale[v_] | WALK(t, p, LOADED_W(v_))
		:: else
		fi;
		if
		:: stale_tables[v_] & LINK(t, 1) -> stale[v_] = stale[v_] | WALK(t, p, true)
		:: else
		fi;
		if
		:: stale_tables[v_] & LINK(t, 0) -> stale[v_] = stale[v_] | WALK(t, p, false)
		:: else
		fi
	}
	v_ = 0
}

/* Before v goes to another root, or its root changes: the same for the whole table. */
inline remember_table(v)
{
	stale_tables[v] = stale_tables[v] | LINK(LOADED_TABLE(v), LOADED_W(v));
	for (p_ : 0 .. PAGES - 1) {
		stale[v] = stale[v] | CURRENT_TRANSLATION(v, p_)
	}
	p_ = 0
}

inline remember_root(r)
{
	for (v_ : 0 .. VCPUS - 1) {
		if
		:: view[v_] == r -> remember_table(v_)
		:: else
		fi
	}
	v_ = 0
}

/* INVLPG of some pages. It takes every cached link with it (SDM 3A 4.10.4.1). */
inline invalidate(v, pages)
{
	stale_tables[v] = 0;
	set_ = 0;
	for (p_ : 0 .. PAGES - 1) {
		if
		:: (pages) & BIT(p_) -> set_ = set_ | TRANSLATIONS_OF(p_)
		:: else
		fi
	}
	stale[v] = stale[v] & ~set_;
	p_ = 0;
	set_ = 0
}
