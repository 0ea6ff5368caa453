/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fault: no translation, or the header that it leads to is another page's.
 *
 * With the entry's lock: flush it here, and look again; what the fault came from may have been a
 * stale translation only. If the page is in no frame it is loaded into one:
 *
 *	content, then the header (locked), then the entry, then its lock, then the header's.
 *
 * So whoever comes by the entry finds a page that is there, and whoever comes by a stale entry
 * finds either that, or somebody else's header. Nobody else loads the page meanwhile.
 */

#if FAULT == ENTRY_IS_NOT_LOCKED
#define ENTRY_IS_LOCKED(p) false
#else
#define ENTRY_IS_LOCKED(p) pte_lock[p]
#endif

#if FAULT == LOADED_WITHOUT_LOOKING
#define IS_THERE(p) false
#else
#define IS_THERE(p) (pte[p] && IS_OF(header[pte[p] - 1], p))
#endif

/* A page that its frame never had: this version is no other's of this frame. */
inline name_frame(v, p, f, state)
{
#if FAULT == VERSION_FROM_DISK
	/* Published 5.3: one more than the image has, which is not written if the page is clean. */
	set_header(f, WORD(p, state, NEXT_VERSION(VERSION_OF(image[p])), f));
#else
	versions[f] = NEXT_VERSION(versions[f]);
	set_header(f, WORD(p, state, versions[f], f));
#endif
	dirty[f] = false
}

inline publish(v, p, f)
{
	set_entry(p, f);
	invalidate(v, p)
}

inline unlock_entry(p)
{
	pte_lock[p] = false
}

/* The loader has the page pinned as it wants it, without anybody in between. */
inline pin_loaded(f)
{
#if FAULT == PUBLISHED_UNLOCKED
	/* Published 5.3: unlocked, then locked again; whether that succeeds is not asked. */
	d_step { set_header(f, WITH_STATE(header[f], UNLOCKED)); seen = header[f] };
	d_step {
		if
		:: operation != READ && header[f] == seen ->
			set_header(f, WITH_STATE(seen, LOCKED))
		:: else
		fi;
		seen = WITH_STATE(seen, LOCKED);
		pinned = operation != READ
	}
#else
	d_step {
		if
		:: operation == READ -> set_header(f, WITH_STATE(header[f], UNLOCKED))
		:: operation == SHARE -> set_header(f, WITH_STATE(header[f], SHARED(1)))
		:: else
		fi;
		seen = header[f];
		pinned = operation != READ
	}
#endif
}

inline load_failed(p, f)
{
#if FAULT == FAILED_READ_KEEPS_NAME
	is_free[f] = true;
	check_names();
#elif FAULT != FAILED_READ_LEAKS
	clear_name(f);
	is_free[f] = true;
	check_names();
#endif
	failed = false;
	refused = true
}

inline load(v, p, f)
{
	take_frame(f);
#if FAULT == ENTRY_BEFORE_CONTENT
	d_step { publish(v, p, f); unlock_entry(p) };
#endif
#if FAULT == HEADER_BEFORE_CONTENT
	d_step { name_frame(v, p, f, UNLOCKED); left = FIRST | SECOND };
	copy_words(p, f);
#else
	left = ALL_WORDS;
	copy_words(p, f);
#endif
	if
	:: failed ->
		d_step { load_failed(p, f) };
		unlock_entry(p)
	:: else ->
#if FAULT != HEADER_BEFORE_CONTENT
		d_step { name_frame(v, p, f, LOCKED) };
#endif
#if FAULT == ENTRY_UNLOCKED_TOO_EARLY
		unlock_entry(p);
#endif
		d_step { publish(v, p, f) };
		unlock_entry(p);
		pin_loaded(f)
	fi
}

inline fault(v, p, f)
{
	d_step { !ENTRY_IS_LOCKED(p) -> pte_lock[p] = true; seen = 0 };
#if FAULT != NO_LOCAL_FLUSH
	d_step { invalidate(v, p) };
#endif
	if
	:: IS_THERE(p) -> unlock_entry(p)
	:: else -> load(v, p, f)
	fi;
	f = 0
}
