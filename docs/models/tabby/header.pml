/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Headers: one word at the start of each frame's memory, read and changed as a whole.
 *
 * It says which page is there, what may be done with it, its version, and in which frame it is.
 * Whoever has read it through an address that the MMU translated goes on by the frame that it
 * names, whose linear address nothing translates anew (hole 1 of the review: two loads through one
 * virtual address may be two frames).
 *
 * The clock's mark is left out: any frame may be the next victim.
 */

#define NOBODY 0			/* no page: a free frame */
#define LOCKED 1			/* pinned by one who may write */
#define IMAGE 2				/* on disk, and wherever a device copies it to */
#define UNLOCKED 3
#define SHARED(n) (UNLOCKED + (n))	/* so many pins for reading */

#define NAMES(p) ((p) + 1)
#define WORD(p, state, version, f) (NAMES(p) | ((state) << 2) | ((f) << 5) | ((version) << 7))
#define NAME_OF(word) ((word) & 3)
#define STATE_OF(word) (((word) >> 2) & 7)
#define FRAME_OF(word) (((word) >> 5) & 3)
#define VERSION_OF(word) ((word) >> 7)

#define IS_OF(word, p) (NAME_OF(word) == NAMES(p))
#define WITH_STATE(word, state) (((word) & ~28) | ((state) << 2))
#define CAN_SHARE(word) (STATE_OF(word) >= UNLOCKED)
#define ONE_MORE(word) ((word) + 4)
#define ONE_LESS(word) ((word) - 4)

#if FAULT == VERSION_WRAPS
#define NEXT_VERSION(version) (((version) + 1) & 1)
#else
#define NEXT_VERSION(version) ((version) + 1)
#endif

short header[FRAMES];
bool dirty[FRAMES];			/* the disk has something older */
byte versions[FRAMES];			/* the last that a page had in this frame; never set back */

inline set_header(f, word)
{
	header[f] = word;
	check_names()
}
