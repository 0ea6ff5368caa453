/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold. None of this is read by the protocol.
 *
 *   bytes	what is read with a pin, or validated, is that page's and no other's
 *   update	and it is what was written last: no store is lost, none is seen by halves
 *   one_frame	no two frames have one name, and a free frame has none
 *   reclaim	in the end each frame is free, or unlocked and the only one of its page
 *
 * And no CPU waits for ever: the verifier reports that as an invalid end state, or as a cycle.
 */

/* All of them false, always: they name what has failed in the verifier's report. */
hidden byte bytes, update, one_frame, reclaim;

byte truth[PAGES];			/* how often the page has been written */

#define CONTENT(p, n) ((p) * 16 + (n))
#define PAGE_OF_CONTENT(word) ((word) >> 4)
#define COUNT_OF_CONTENT(word) ((word) & 15)

bool is_free[FRAMES];

inline check_names()
{
	for (f_ : 0 .. FRAMES - 1) {
		assert(one_frame || !is_free[f_] || name[f_] == NOBODY);
		for (n_ : 0 .. FRAMES - 1) {
			assert(one_frame || n_ == f_ || name[f_] == NOBODY ||
				name[f_] != name[n_])
		}
	}
	f_ = 0;
	n_ = 0
}

inline check_word(p, is)
{
	assert(bytes || PAGE_OF_CONTENT(is) == p);
	assert(update || COUNT_OF_CONTENT(is) == truth[p])
}

/* All CPUs are gone. */
inline check_end()
{
	check_names();
	for (p_ : 0 .. PAGES - 1) {
		assert(reclaim || !pte_lock[p_])
	}
	for (f_ : 0 .. FRAMES - 1) {
		assert(reclaim || (name[f_] == NOBODY -> is_free[f_] :
			STATE_OF(word[f_]) == UNLOCKED));
		if
		:: name[f_] != NOBODY ->
			p_ = name[f_] - 1;
			check_word(p_, content[f_ * 2]);
			check_word(p_, content[f_ * 2 + 1])
		:: else
		fi
	}
	for (p_ : 0 .. PAGES - 1) {
		n_ = false;
		for (f_ : 0 .. FRAMES - 1) {
			n_ = n_ || (name[f_] == NAMES(p_) && (word[f_] & DIRTY))
		}
		if
		:: n_
		:: else ->
			check_word(p_, disk[p_ * 2]);
			check_word(p_, disk[p_ * 2 + 1])
		fi
	}
	f_ = 0;
	p_ = 0;
	n_ = 0
}
