/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pins and optimistic reads.
 *
 * The header is loaded through the page's address, by any translation that the CPU may have. From
 * there on everything goes by the frame that it names: the compare-and-swap that pins, the content,
 * and the load that validates.
 */

#if FAULT == CONTENT_BY_ADDRESS
/* Published: each load of the content is translated anew. */
#define NAMED frame
#define REACH(v, p) choose_translation(v, p, frame)
#else
#define NAMED FRAME_OF(seen)
#define REACH(v, p) skip
#endif

/* Without an entry there is no header to see. */
inline load_header(v, p)
{
	if
	:: TRANSLATES(v, p) -> choose_translation(v, p, frame); seen = header[frame]
	:: !pte[p] -> seen = NOBODY
	fi
}

/* Not changed since it was seen. */
inline swap_header(word)
{
	if
#if FAULT == PINNED_BY_STORE
	:: true ->
#else
	:: header[FRAME_OF(seen)] == seen ->
#endif
		set_header(FRAME_OF(seen), word);
		seen = word;
		pinned = true
	:: else
	fi
}

#define CAN_PIN(word) (operation == READ && CAN_SHARE(word) || \
	operation == WRITE && STATE_OF(word) == UNLOCKED || \
	operation == SHARE && CAN_SHARE(word))

/* Ends with a pin, or a header to read by, or refused. */
inline pin(v, p)
{
	do
	:: pinned || refused -> break
	:: atomic { !pinned && !refused -> load_header(v, p) };
		if
		:: !IS_OF(seen, p) -> frame = 0; fault(v, p, frame)
		:: IS_OF(seen, p) && CAN_PIN(seen) && operation == READ -> frame = 0; break
		:: d_step { IS_OF(seen, p) && CAN_PIN(seen) && operation == WRITE ->
				swap_header(WITH_STATE(seen, LOCKED)) }
		:: d_step { IS_OF(seen, p) && CAN_PIN(seen) && operation == SHARE ->
				swap_header(ONE_MORE(seen)) }
		:: IS_OF(seen, p) && !CAN_PIN(seen) && header[frame] != seen
		fi;
		frame = 0
	od
}

/* With a pin: what is read is so at once. */
inline read_pinned(v, p)
{
	atomic { REACH(v, p); d_step { word = content[NAMED * 2]; check_word(p, word) } };
	atomic { REACH(v, p); d_step { check_word(p, content[NAMED * 2 + 1]) } }
}

inline write_pinned(v, p)
{
	atomic { REACH(v, p); d_step { word++; content[NAMED * 2] = word } };
	atomic { REACH(v, p); d_step { content[NAMED * 2 + 1] = word } };
	dirty[FRAME_OF(seen)] = true
}

/* A version that no reader has seen; the last store is the one that unlocks. */
inline unlock(p)
{
	truth[p]++;
#if FAULT == VERSION_IS_NOT_RAISED
	set_header(FRAME_OF(seen), WORD(p, UNLOCKED, VERSION_OF(seen), FRAME_OF(seen)))
#else
	set_header(FRAME_OF(seen),
		WORD(p, UNLOCKED, NEXT_VERSION(VERSION_OF(seen)), FRAME_OF(seen)))
#endif
}

#if FAULT == VALIDATED_WITHOUT_FRAME
#define SAME(a, b) (NAME_OF(a) == NAME_OF(b) && VERSION_OF(a) == VERSION_OF(b) && CAN_SHARE(a))
#elif FAULT == READ_BESIDE_A_WRITER
#define SAME(a, b) (WITH_STATE(a, 0) == WITH_STATE(b, 0))
#else
#define SAME(a, b) (WITH_STATE(a, 0) == WITH_STATE(b, 0) && CAN_SHARE(a))
#endif

inline load_again(v, p)
{
#if FAULT == VALIDATED_WITHOUT_FRAME
	choose_translation(v, p, frame)
#else
	frame = FRAME_OF(seen)
#endif
}

/* Sets valid, and then the words must have been the page's. */
inline read_optimistic(v, p)
{
	atomic { REACH(v, p); word = content[NAMED * 2] };
	atomic { REACH(v, p); second = content[NAMED * 2 + 1] };
	atomic {
		load_again(v, p);
		d_step {
			valid = SAME(header[frame], seen);
			if
			:: valid -> check_word(p, word); check_word(p, second)
			:: else
			fi;
			word = 0; second = 0; seen = 0; frame = 0
		}
	}
}
