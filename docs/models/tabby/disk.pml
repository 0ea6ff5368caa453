/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk. A device copies word after word, in any order, at any moment until it says that it is
 * done, and looks at no header's state: it puts what the image has as its header into memory where
 * others may read it. So an image's header says IMAGE, which nobody takes for a page to use.
 *
 * A transfer may fail at any word. What a failed write leaves on disk is for the log and the
 * checksums, not for this model: the page stays dirty, and is written anew.
 */

short image[PAGES];			/* headers */
byte disk[PAGES * 2];			/* contents */

#define HEADER 1
#define FIRST 2
#define SECOND 4
#define ALL_WORDS 7

/* left is the set of words that are to be copied; failed is set by an error. */
inline copy_words(p, f)
{
	do
	:: d_step { left & HEADER -> set_header(f, image[p]); left = left - HEADER }
	:: d_step { left & FIRST -> content[f * 2] = disk[p * 2]; left = left - FIRST }
	:: d_step { left & SECOND -> content[f * 2 + 1] = disk[p * 2 + 1]; left = left - SECOND }
	:: d_step { left && errors_left -> errors_left--; left = 0; failed = true }
	:: left == 0 -> break
	od
}

#if FAULT == IMAGE_IS_UNLOCKED
/* Published 5.3: the header goes to the disk as it is in memory. */
#define FIRST_IMAGE(p) WORD(p, UNLOCKED, 0, (p) & 1)
#define IMAGE_OF(f) WITH_STATE(header[f], UNLOCKED)
#elif FAULT == VERSION_FROM_DISK
#define IMAGE_OF(f) WITH_STATE(header[f], IMAGE)
#else
/* Nobody asks for an image's version or frame. */
#define IMAGE_OF(f) WORD(NAME_OF(header[f]) - 1, IMAGE, 0, 0)
#endif
#if FAULT != IMAGE_IS_UNLOCKED
#define FIRST_IMAGE(p) WORD(p, IMAGE, 0, 0)
#endif

inline write_words(p, f)
{
	do
	:: d_step { left & HEADER -> image[p] = IMAGE_OF(f); left = left - HEADER }
	:: d_step { left & FIRST -> disk[p * 2] = content[f * 2]; left = left - FIRST }
	:: d_step { left & SECOND -> disk[p * 2 + 1] = content[f * 2 + 1]; left = left - SECOND }
	:: d_step { left && errors_left -> errors_left--; left = 0; failed = true }
	:: left == 0 -> break
	od
}
