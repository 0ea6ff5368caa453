/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames: free ones, write-back, eviction.
 *
 * A page that is evicted leaves its entry in the page table as it is, and everybody's TLB: who
 * comes that way finds a header that is not his.
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

#define CAN_EVICT(f) (STATE_OF(header[f]) == UNLOCKED)
#define CAN_WRITE_BACK(f) (NAME_OF(header[f]) != NOBODY && CAN_SHARE(header[f]))

/* It names nobody from here on, and is its evictor's, or its loader's who has failed. */
inline clear_name(f)
{
#if FAULT == FREE_FRAME_NAMES
	set_header(f, WITH_STATE(header[f], LOCKED))
#else
	set_header(f, NOBODY)
#endif
}

inline write_ended(f)
{
	if
#if FAULT != FAILED_WRITE_IS_CLEAN
	:: failed -> dirty[f] = true
#endif
	:: else
	fi;
	failed = false;
	victim_page = 0
}

inline unpin_written(f)
{
#if FAULT != WRITTEN_WITHOUT_PIN
	set_header(f, ONE_LESS(header[f]))
#else
	skip
#endif
}

/* f was found dirty. */
inline write_back(f)
{
	if
#if FAULT == WRITTEN_WITHOUT_PIN
	:: true ->
#else
	:: d_step { CAN_WRITE_BACK(f) -> set_header(f, ONE_MORE(header[f])) };
#endif
		d_step { victim_page = NAME_OF(header[f]) - 1; left = ALL_WORDS };
#if FAULT != CLEAN_BEHIND_UNPIN
		dirty[f] = false;
#endif
		write_words(victim_page, f);
		atomic { skip; d_step { write_ended(f) } };
		d_step { unpin_written(f) };
#if FAULT == CLEAN_BEHIND_UNPIN
		dirty[f] = false
#endif
	:: else
	fi
}

/* f was found clean. Nobody reads or writes it once it is locked; then it is looked at again. */
inline evict(f)
{
	if
	:: d_step { CAN_EVICT(f) -> set_header(f, WITH_STATE(header[f], LOCKED)) };
		d_step {
			if
#if FAULT != VICTIM_IS_NOT_LOOKED_AT_AGAIN
			:: dirty[f] -> set_header(f, WITH_STATE(header[f], UNLOCKED))
#endif
			:: else ->
				versions[f] = VERSION_OF(header[f]);
				clear_name(f);
				taken = true
			fi
		}
	:: else
	fi
}

#define CAN_EVICT_ANY (CAN_EVICT(0) || CAN_EVICT(1))

inline choose_victim(f)
{
	if
	:: CAN_EVICT(0) -> f = 0
	:: CAN_EVICT(1) -> f = 1
	fi
}

/* Who has evicted has the frame: so each load evicts once, and nobody starves. */
inline take_frame(f)
{
	do
	:: taken -> break
	:: atomic { !taken && ANY_FREE -> choose_free(f); is_free[f] = false; taken = true }
	:: atomic { !taken && !ANY_FREE && CAN_EVICT_ANY -> choose_victim(f) };
		if
		:: dirty[f] -> write_back(f)
		:: else -> evict(f)
		fi
	od;
	taken = false
}
