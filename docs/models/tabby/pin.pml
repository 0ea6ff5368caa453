/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pins and optimistic reads.
 *
 * The frame's number is loaded through the page's address, by any translation that the CPU may
 * have. From there on everything goes by that number: the word, the name, the compare-and-swap that
 * pins, the content, and the load that validates.
 */

#if FAULT == CONTENT_BY_ADDRESS
/* Published: each load of the content is translated anew. */
#define BY(f) by
#define REACH(v, p) choose_translation(v, p, by)
#else
#define BY(f) f
#define REACH(v, p) skip
#endif

/*
 * The entry of a page that was in no frame yet leads to zeroes, and a TLB may for ever: frame 0,
 * whoever's that is.
 */
inline load_hint(v, p, f)
{
	if
	:: TRANSLATES(v, p) -> choose_translation(v, p, f); f = hint[f]
	:: f = 0
	fi
}

#if FAULT == SHARED_DOES_NOT_COUNT
#define CAN_LOCK(word) CAN_READ(word)
#else
#define CAN_LOCK(word) (STATE_OF(word) == UNLOCKED)
#endif

#define CAN_PIN(word) (operation == READ && CAN_READ(word) || \
	operation == WRITE && CAN_LOCK(word) || operation == SHARE && CAN_SHARE(word))

/* What the word becomes. */
#define PINNED(word) (operation == READ -> (word) : \
	(operation == WRITE -> WITH_STATE(word, LOCKED) : (word) + 1))

/* Unless it has changed since it was seen. */
inline swap_word(f)
{
	if
#if FAULT == PINNED_BY_STORE
	:: true ->
#else
	:: word[f] == seen ->
#endif
		word[f] = PINNED(seen);
		seen = word[f];
		pinned = true
	:: else
	fi
}

#if FAULT == NAME_IS_NOT_ASKED
#define IS_MINE(p, f) true
#else
#define IS_MINE(p, f) (name[f] == NAMES(p))
#endif

/* The name behind the word: the word has not changed since, so both were true at once. */
inline look_at(p, f)
{
#if FAULT == NAME_BEFORE_WORD
	is_mine = IS_MINE(p, f);
	seen = word[f]
#else
	seen = word[f];
	is_mine = IS_MINE(p, f)
#endif
}

/* Ends with a pin, or a word to read by, or refused. */
inline pin(v, p, f)
{
	atomic { load_hint(v, p, f) };
	do
	:: pinned || refused -> break
	:: else ->
		look_at(p, f);
		if
		:: !is_mine -> seen = 0; look_up(v, p, f, mine)
		:: is_mine && !CAN_PIN(seen) ->
			(word[f] != seen || name[f] != NAMES(p))
		:: d_step { is_mine && CAN_PIN(seen) -> swap_word(f) }
		fi;
		is_mine = false
	od
}

/* With a pin: what is read is so at once. */
inline read_pinned(v, p, f)
{
	atomic { REACH(v, p); d_step { first = content[BY(f) * 2]; check_word(p, first) } };
	atomic { REACH(v, p); d_step { check_word(p, content[BY(f) * 2 + 1]) } }
}

/* A version that no reader has seen; the last store is the one that unlocks. */
inline unlock(p, f)
{
	truth[p]++;
#if FAULT == VERSION_IS_NOT_RAISED
	word[f] = WORD(UNLOCKED, VERSION_OF(word[f])) | DIRTY
#else
	word[f] = WORD(UNLOCKED, NEXT_VERSION(VERSION_OF(word[f]))) | DIRTY
#endif
}

inline write_pinned(v, p, f)
{
	atomic { REACH(v, p); d_step { first++; content[BY(f) * 2] = first } };
	atomic { REACH(v, p); d_step { content[BY(f) * 2 + 1] = first } };
	d_step { unlock(p, f); valid = true }
}

#if FAULT == READ_BESIDE_A_WRITER
#define SAME(a, b) (VERSION_OF(a) == VERSION_OF(b))
#else
#define SAME(a, b) (VERSION_OF(a) == VERSION_OF(b) && CAN_READ(a))
#endif

/* Published: validated by the page's address, as it was begun. */
inline load_again(v, p, f)
{
#if FAULT == VALIDATED_WITHOUT_FRAME
	load_hint(v, p, f)
#else
	skip
#endif
}

/* Sets valid, and then the words must have been the page's. */
inline read_optimistic(v, p, f)
{
	atomic { REACH(v, p); first = content[BY(f) * 2] };
	atomic { REACH(v, p); second = content[BY(f) * 2 + 1] };
	atomic {
		load_again(v, p, f);
		d_step {
			valid = SAME(word[f], seen);
			if
			:: valid -> check_word(p, first); check_word(p, second)
			:: else
			fi;
			first = 0; second = 0; seen = 0; pinned = false
		}
	}
}
