/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The long way: what the hint led to is not the page's.
 *
 * The entry in the page table leads to the frame that the page was in last. If that is still the
 * page's, the hint was stale: flush it here. Otherwise the page is in no frame, and is loaded:
 *
 *	with the entry's lock, and a second look: the frame's name, then the entry;
 *	then the content, the frame's number, and last the frame's word.
 *
 * So whoever comes meanwhile finds the frame, and waits for its word.
 */

#define IS_THERE(p) (pte[p] && name[pte[p] - 1] == NAMES(p))

#if FAULT == ENTRY_IS_NOT_LOCKED
#define ENTRY_IS_LOCKED(p) false
#else
#define ENTRY_IS_LOCKED(p) pte_lock[p]
#endif

#if FAULT == ENTERED_BLINDLY
#define IS_THERE_NOW(p) false
#else
#define IS_THERE_NOW(p) IS_THERE(p)
#endif

/* Of who has loaded it. */
#define FIRST_STATE \
	(operation == READ -> UNLOCKED : (operation == SHARE -> SHARED(1) : LOCKED))

hidden byte first_state;

inline publish(f)
{
#if FAULT == VERSION_FROM_DISK
	/* Published 5.3: one more than the image has, which is not written if the page is clean. */
	word[f] = WORD(first_state, NEXT_VERSION(version_on_disk[page]))
#else
	word[f] = WORD(first_state, NEXT_VERSION(VERSION_OF(word[f])))
#endif
}

/* The loader has the page pinned as it wants it, without anybody in between. */
inline pin_loaded(f)
{
#if FAULT == PUBLISHED_UNLOCKED
	/* Published 5.3: unlocked, then locked again; whether that succeeds is not asked. */
	d_step { first_state = UNLOCKED; publish(f); seen = word[f] };
	d_step {
		if
		:: operation != READ && word[f] == seen -> word[f] = WITH_STATE(seen, LOCKED)
		:: else
		fi;
		pinned = true
	}
#elif FAULT == PUBLISHED_BEFORE_CONTENT
	d_step { seen = word[f]; pinned = true }
#else
	d_step {
		first_state = FIRST_STATE;
		publish(f);
		seen = word[f];
		pinned = true
	}
#endif
}

inline load_failed(f)
{
#if FAULT != FAILED_READ_KEEPS_NAME
	set_name(f, NOBODY);
#endif
#if FAULT != FAILED_READ_LEAKS
	is_free[f] = true;
	check_names();
#endif
	failed = false;
	refused = true
}

inline fill(p, f)
{
#if FAULT == PUBLISHED_BEFORE_CONTENT
	d_step { first_state = FIRST_STATE; publish(f) };
#endif
	left = ALL_WORDS;
	copy_words(p, f);
	if
	:: failed -> d_step { hint[f] = f; load_failed(f) }
	:: else -> hint[f] = f; pin_loaded(f)
	fi
}

/* mine is free and the caller's. */
inline enter(v, p, f, mine)
{
	d_step { !ENTRY_IS_LOCKED(p) -> pte_lock[p] = true };
	if
	:: IS_THERE_NOW(p) ->
		d_step { f = pte[p] - 1; is_free[mine] = true; pte_lock[p] = false; check_names() }
	:: else ->
		d_step { set_name(mine, NAMES(p)) };
		d_step { set_entry(p, mine); pte_lock[p] = false };
		d_step { invalidate(v, p); f = mine };
		fill(p, f)
	fi
}

inline look_up(v, p, f, mine)
{
	if
	:: atomic { IS_THERE(p) -> f = pte[p] - 1; invalidate(v, p) }
	:: else ->
		take_frame(mine);
		enter(v, p, f, mine);
		mine = 0
	fi
}
