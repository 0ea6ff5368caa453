/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk. A device copies word after word, in any order, at any moment until it says that it is
 * done. It reaches frames' memory, where others may read: so meanwhile a frame's number there is
 * any number. Names and words it does not reach.
 *
 * A transfer may fail at any word. What a failed write leaves on disk is for the log and the
 * checksums, not for this model: the page stays dirty, and is written anew.
 */

byte disk[PAGES * 2];			/* contents */
byte version_on_disk[PAGES];		/* which only published designs ask for */

#define HEADER 1
#define FIRST 2
#define SECOND 4
#define ALL_WORDS 7

/* Published 5.3: the header is in the page, goes to disk as it is, and comes back unlocked. */
inline copy_header(p, f)
{
#if FAULT == IMAGE_IS_UNLOCKED
	set_name(f, NAMES(p));
	word[f] = WORD(UNLOCKED, version_on_disk[p]);
#endif
	left = left - HEADER
}

/* left is the set of words that are to be copied; failed is set by an error. */
inline copy_words(p, f)
{
	do
	:: d_step { left & HEADER -> hint[f] = 0; copy_header(p, f) }
	:: d_step { left & HEADER -> hint[f] = 1; copy_header(p, f) }
	:: d_step { left & FIRST -> content[f * 2] = disk[p * 2]; left = left - FIRST }
	:: d_step { left & SECOND -> content[f * 2 + 1] = disk[p * 2 + 1]; left = left - SECOND }
	:: d_step { left && errors_left -> errors_left--; left = 0; failed = true }
	:: left == 0 -> break
	od
}

inline write_words(p, f)
{
	do
	:: d_step { left & HEADER ->
			version_on_disk[p] = VERSION_OF(word[f]); left = left - HEADER }
	:: d_step { left & FIRST -> disk[p * 2] = content[f * 2]; left = left - FIRST }
	:: d_step { left & SECOND -> disk[p * 2 + 1] = content[f * 2 + 1]; left = left - SECOND }
	:: d_step { left && errors_left -> errors_left--; left = 0; failed = true }
	:: left == 0 -> break
	od
}
