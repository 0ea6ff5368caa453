/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine: CPUs, one page table, and TLBs that keep all that they may.
 *
 * A TLB is modelled as a set: every translation that the CPU could have fetched since its last
 * INVLPG of that page, and that the page table no longer says. Each single access may use any of
 * them, or walk; two accesses of one CPU to one page may use two of them, in any order. So entries
 * are dropped and refilled between any two loads, and translations are in no order, though the
 * loads themselves are (SDM 3A 4.10.2.3: translations may be fetched for accesses that are never
 * made). What the table still says cannot be told from a walk; so it is enough to remember the old
 * value when an entry changes.
 *
 * INVLPG reaches the TLB of its own CPU, and nobody else's. Nobody sends interrupts.
 *
 * Memory is sequentially consistent. On x86 only a store may pass behind a later load; those of
 * this protocol that no load may pass are locked instructions.
 */

byte pte[PAGES];			/* frame + 1; 0: zeroes, as no frame yet */
bool pte_lock[PAGES];			/* a software bit of the entry */
short stale[CPUS];			/* sets of TRANSLATION() */

/* A page's bytes: two words, so that half of a page can be seen. */
byte content[FRAMES * 2];

/* Temporary, in one step: no part of a state. */
hidden byte v_, f_, p_, n_;

#define BIT(n) (1 << (n))
#define TRANSLATION(p, f) BIT((p) * FRAMES + (f))
#define TRANSLATIONS_OF(p) ((BIT(FRAMES) - 1) << ((p) * FRAMES))
#define CURRENT(p) (pte[p] -> TRANSLATION(p, pte[p] - 1) : 0)

/* Whether an access of CPU v to page p may reach frame f. */
#define REACHES(v, p, f) ((stale[v] | CURRENT(p)) & TRANSLATION(p, f))
#define TRANSLATES(v, p) ((stale[v] & TRANSLATIONS_OF(p)) || pte[p])

inline choose_translation(v, p, f)
{
	if
	:: REACHES(v, p, 0) -> f = 0
	:: REACHES(v, p, 1) -> f = 1
	fi
}

inline invalidate(v, p)
{
	stale[v] = stale[v] & ~TRANSLATIONS_OF(p)
}

/* With the entry's lock. The old translation stays wherever it is. */
inline set_entry(p, f)
{
	for (v_ : 0 .. CPUS - 1) {
		stale[v_] = stale[v_] | CURRENT(p)
	}
	v_ = 0;
	pte[p] = f + 1
}
