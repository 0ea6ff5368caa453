/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots: cut, kept pages, views, release (libdbos/src/snappy/create.c, keep.c, release.c).
 *
 * The cut is one step: all vCPUs but v are parked or in the host, so what runs meanwhile is calls
 * of the host's. To one of their buffers a store may come before or behind the copy of the page,
 * which is one word here; it comes before or behind the step.
 */

bool engine_lock;			/* somebody creates, or releases */

hidden byte copy_, q_, written_, place_;

inline share_table(s)
{
	remember_root(MAIN);
	root_table[s] = root_table[MAIN];
	root_w[s] = false;
	root_w[MAIN] = false
}

/* The snapshot gets a table of its own, of which all but these pages are shared. */
inline own_entries(s)
{
	take_table(t_, now);
	for (q_ : 0 .. PAGES - 1) {
		pte_frame[ENTRY(t_, q_)] = pte_frame[ENTRY(root_table[s], q_)]
	}
	pte_w[t_] = 0;
	root_table[s] = t_;
	root_w[s] = true;
	q_ = 0;
	t_ = 0
}

/* Main keeps the frame, which the host goes on writing, and the snapshot has a copy. */
inline keep_page(s, p)
{
	old = SHOWS(MAIN, p);
	take_frame(copy_, now);
	memory[copy_] = memory[old];
#if FAULT == SNAPSHOT_KEEPS_WRITTEN
	SHOWS(MAIN, p) = copy_;
#else
	SHOWS(s, p) = copy_;
	frame_birth[old] = now;
#endif
	old = 0;
	copy_ = 0
}

inline keep_written_pages(s)
{
	written_ = 0;
	for (v_ : 0 .. VCPUS - 1) {
		if
		:: writing[v_] && view[v_] == MAIN -> written_ = written_ | BIT(writing[v_] - 1)
		:: else
		fi
	}
	v_ = 0;
#if FAULT == WRITTEN_IS_SHARED
	written_ = 0;
#endif
	if
	:: written_ -> own_entries(s)
	:: else
	fi;
	for (q_ : 0 .. PAGES - 1) {
		if
		:: written_ & BIT(q_) -> keep_page(s, q_)
		:: else
		fi
	}
	q_ = 0;
	written_ = 0
}

/* What the snapshot must show from now on is what main has, by what is really there. */
inline cut(v)
{
	place_ = 1;
	do
	:: !IS_LIVE(place_) -> break
	:: else -> place_++
	od;
	share_table(place_);
	epoch[place_] = now;
	now++;
	for (p_ : 0 .. PAGES - 1) {
		TRUTH(place_, p_) = TRUTH(MAIN, p_)
	}
	p_ = 0;
	keep_written_pages(place_);
#if FAULT != CUT_WITHOUT_FLUSH
	raise(v, ALL_PAGES);
	flush_waits[v] = 0;
#endif
	check_all()
}

/* Loading CR3 flushes. */
inline change_view(v, r)
{
#if FAULT == VIEW_WITHOUT_FLUSH
	remember_table(v);
	view[v] = r;
#else
	view[v] = r;
	invalidate(v, ALL_PAGES);
#endif
	check_view(v)
}

#define MAY_ATTACH(s) (IS_LIVE(s) && !engine_lock)

inline attach(v, s)
{
	users[s]++;
	change_view(v, s)
}

inline detach(v)
{
	users[view[v]]--;
	change_view(v, MAIN)
}

/* What the snapshot has written is born later than it, and in a table that is so too. */
inline free_own(t, own)
{
	if
	:: table_birth[t] > own ->
		for (q_ : 0 .. PAGES - 1) {
			if
			:: frame_birth[pte_frame[ENTRY(t, q_)]] > own ->
				free_frame(pte_frame[ENTRY(t, q_)])
			:: else
			fi
		}
		free_table(t)
	:: else
	fi;
	q_ = 0
}

/* Nobody is in its view. */
inline forget(s)
{
	t_ = root_table[s];
	last_epoch = epoch[s];
	epoch[s] = 0;
	root_table[s] = 0;
	root_w[s] = false;
	for (p_ : 0 .. PAGES - 1) {
		TRUTH(s, p_) = 0
	}
	p_ = 0;
	free_own(t_, last_epoch);
	t_ = 0
}

/* What it held goes to the next older one that sees it, or is free. */
inline pass_on(s)
{
	for (f_ : 0 .. FRAMES - 1) {
		if
		:: frame_state[f_] == HELD && frame_holder[f_] == s ->
#if FAULT == RELEASE_FREES_ALL
			holder_ = NOBODY;
#else
			look_for_holder(last_epoch, frame_birth[f_]);
#endif
			if
			:: holder_ != NOBODY -> frame_holder[f_] = holder_
			:: else -> free_frame(f_)
			fi
		:: else
		fi
	}
	for (t_ : 0 .. TABLES - 1) {
		if
		:: table_state[t_] == HELD && table_holder[t_] == s ->
			look_for_holder(last_epoch, table_birth[t_]);
			if
			:: holder_ != NOBODY -> table_holder[t_] = holder_
			:: else -> free_table(t_)
			fi
		:: else
		fi
	}
	f_ = 0;
	t_ = 0;
	last_epoch = 0
}

#if FAULT == RELEASED_IN_USE
#define MAY_RELEASE(s) IS_LIVE(s)
#else
#define MAY_RELEASE(s) (IS_LIVE(s) && users[s] == 0)
#endif

inline release(v, s)
{
	d_step { forget(s) };
#if FAULT != LIMBO_IS_FORGOTTEN
	d_step { pass_on(s) }
#endif
}

inline create(v)
{
	stop_world(v);
	atomic { skip; d_step { cut(v) } };
	start_world();
	cuts_left--
}

/* With the lock of the engine. */
inline create_or_release(v)
{
	if
	:: operation == CUT -> create(v)
	:: operation > CUT && MAY_RELEASE(operation - CUT) -> release(v, operation - CUT)
	:: else
	fi;
	d_step {
		engine_lock = false;
		operation = NOTHING
	}
}
