/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames' names and words, in an array that no device reaches; each is read and changed as a whole.
 *
 * A name says whose the frame is. A word has the state, whether the disk has something older, and a
 * version, which is raised when content has changed and when a page is loaded, and never goes back.
 *
 * In a frame's own memory is its number, and nothing else: who loads that through a page's address
 * learns where the translation leads that his CPU has. It is a hint. The clock's mark is left out:
 * any frame may be the next victim.
 */

#define NOBODY 0
#define NAMES(p) ((p) + 1)

#define UNLOCKED 0
#define SHARED(n) (n)			/* so many pins for reading */
#define LOCKED 3
#define DIRTY 4
#define STATE_OF(word) ((word) & 3)
#define VERSION_OF(word) ((word) >> 3)
#define WORD(state, version) ((state) | ((version) << 3))
#define WITH_STATE(word, state) (((word) & ~3) | (state))

#define CAN_SHARE(word) (STATE_OF(word) < 2)
#define CAN_READ(word) (STATE_OF(word) != LOCKED)

#if FAULT == VERSION_WRAPS
#define NEXT_VERSION(version) (((version) + 1) & 1)
#else
#define NEXT_VERSION(version) ((version) + 1)
#endif

byte name[FRAMES];
short word[FRAMES];
byte hint[FRAMES];

inline set_name(f, n)
{
	name[f] = n;
	check_names()
}
