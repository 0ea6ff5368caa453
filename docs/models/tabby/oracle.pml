/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold. None of this is read by the protocol.
 *
 *   bytes	what is read with a pin, or validated, is that page's and no other's
 *   update	and it is what was written last: no store is lost, none is seen by halves
 *   one_frame	no two headers name one page, and a free frame's header names none
 *   reclaim	in the end each frame is free, or unlocked and the only one of its page
 *
 * And no CPU waits for ever: the verifier reports that as an invalid end state, or as a cycle.
 */

/* All of them false, always: they name what has failed in the verifier's report. */
hidden byte bytes, update, one_frame, reclaim;

byte truth[PAGES];			/* how often the page has been written */

#define CONTENT(p, n) ((p) * 16 + (n))
#define GARBAGE 255
#define PAGE_OF_CONTENT(word) ((word) >> 4)
#define COUNT_OF_CONTENT(word) ((word) & 15)

bool is_free[FRAMES];

inline check_names()
{
	for (f_ : 0 .. FRAMES - 1) {
		assert(one_frame || !is_free[f_] || NAME_OF(header[f_]) == NOBODY);
		for (n_ : 0 .. FRAMES - 1) {
			assert(one_frame || n_ == f_ || NAME_OF(header[f_]) == NOBODY ||
				NAME_OF(header[f_]) != NAME_OF(header[n_]))
		}
	}
	f_ = 0;
	n_ = 0
}

inline check_word(p, word)
{
	assert(bytes || PAGE_OF_CONTENT(word) == p);
	assert(update || COUNT_OF_CONTENT(word) == truth[p])
}

/* All CPUs are gone. */
inline check_end()
{
	check_names();
	for (p_ : 0 .. PAGES - 1) {
		assert(reclaim || !pte_lock[p_])
	}
	for (f_ : 0 .. FRAMES - 1) {
		assert(reclaim || (NAME_OF(header[f_]) == NOBODY -> is_free[f_] :
			STATE_OF(header[f_]) == UNLOCKED));
		if
		:: NAME_OF(header[f_]) != NOBODY ->
			p_ = NAME_OF(header[f_]) - 1;
			check_word(p_, content[f_ * 2]);
			check_word(p_, content[f_ * 2 + 1])
		:: else
		fi
	}
	for (p_ : 0 .. PAGES - 1) {
		n_ = false;
		for (f_ : 0 .. FRAMES - 1) {
			n_ = n_ || (IS_OF(header[f_], p_) && dirty[f_])
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
