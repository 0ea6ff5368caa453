/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames: free ones, write-back, eviction.
 *
 * A page that is evicted leaves its entry in the page table as it is, and everybody's TLB: who
 * comes that way finds a frame whose name is not the page's.
 *
 * What is written to the disk is pinned shared meanwhile: it can be read, and not changed. It is
 * called clean before the device begins, so that a store behind the write makes it dirty again.
 */

#define ANY_FREE (is_free[0] || is_free[1])

inline choose_free(f)
{
	if
	:: is_free[0] -> f = 0
	:: is_free[1] -> f = 1
	fi
}

#define CAN_EVICT(f) (name[f] != NOBODY && STATE_OF(word[f]) == UNLOCKED)
#define CAN_EVICT_ANY (CAN_EVICT(0) || CAN_EVICT(1))
#define CAN_WRITE_BACK(f) (name[f] != NOBODY && (word[f] & DIRTY) && CAN_SHARE(word[f]))

inline choose_victim(f)
{
	if
	:: CAN_EVICT(0) -> f = 0
	:: CAN_EVICT(1) -> f = 1
	fi
}

/* It is nobody's from here on, and its evictor's, or its loader's who has failed. */
inline clear_name(f)
{
#if FAULT == FREE_FRAME_NAMES
	skip
#else
	set_name(f, NOBODY)
#endif
}

inline begin_write(f)
{
	victim_page = name[f] - 1;
	left = ALL_WORDS;
#if FAULT != CLEAN_BEHIND_UNPIN
	word[f] = word[f] & ~DIRTY;
#endif
#if FAULT != WRITTEN_WITHOUT_PIN
	word[f] = word[f] + 1
#endif
}

inline end_write(f)
{
#if FAULT != WRITTEN_WITHOUT_PIN
	word[f] = word[f] - 1;
#endif
#if FAULT != FAILED_WRITE_IS_CLEAN
	word[f] = word[f] | (failed -> DIRTY : 0);
#endif
	failed = false;
	victim_page = 0
}

inline write_back(f)
{
	if
	:: d_step { CAN_WRITE_BACK(f) -> begin_write(f) };
		write_words(victim_page, f);
		atomic { skip; d_step { end_write(f) } };
#if FAULT == CLEAN_BEHIND_UNPIN
		word[f] = word[f] & ~DIRTY
#endif
	:: else
	fi
}

#if FAULT == VICTIM_IS_NOT_LOOKED_AT_AGAIN
#define IS_STILL(f) CAN_EVICT(f)
#else
#define IS_STILL(f) (word[f] == seen)
#endif

/* It was found clean and unlocked, when its word was seen. */
inline evict(f)
{
	if
	:: d_step { IS_STILL(f) -> word[f] = WITH_STATE(word[f], LOCKED) };
		d_step { clear_name(f); taken = true }
	:: else
	fi
}

/* Who has evicted has the frame: so each load evicts once, and nobody starves. */
inline take_frame(f)
{
	do
	:: taken -> break
	:: atomic { !taken && ANY_FREE -> choose_free(f); is_free[f] = false; taken = true }
	:: atomic { !taken && !ANY_FREE && CAN_EVICT_ANY -> choose_victim(f); seen = word[f] };
		if
		:: seen & DIRTY -> write_back(f)
		:: else -> evict(f)
		fi;
		seen = 0
	od;
	taken = false
}
