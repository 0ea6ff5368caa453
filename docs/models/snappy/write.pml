/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write fault (libdbos/src/snappy/break.c), one level after the other: it begins anew after
 * each thing that it has done.
 *
 * Interrupts are off, so v does not park and no snapshot is cut before it is through. It flushes
 * wherever it may have to wait: for memory, for an entry's lock, for the flush of others. Here it
 * may between any two attempts.
 *
 * Raising a right (W from 0 to 1, same frame) is nothing that anybody has to remember: the old
 * translation leads where the new one does. A vCPU that has it faults once more and finds nothing
 * to do; that fault is left out.
 */

#define ROOT_OF(v) view[v]
#define TABLE_OF(v) root_table[ROOT_OF(v)]
#define TABLE_W(v) root_w[ROOT_OF(v)]
#define TABLE_ALONE(v) HAS_ALONE(ROOT_OF(v), table_birth[TABLE_OF(v)])
#define FRAME_OF(v, p) pte_frame[ENTRY(TABLE_OF(v), p)]
#define PAGE_W(v, p) (pte_w[TABLE_OF(v)] & BIT(p))
#define PAGE_ALONE(v, p) HAS_ALONE(ROOT_OF(v), frame_birth[FRAME_OF(v, p)])
#if FAULT == ENTRY_NOT_LOCKED
/* Published 5.1.6: sets the bit, and does not look whether it was set. */
#define PAGE_LOCKED(v, p) false
#else
#define PAGE_LOCKED(v, p) (pte_lock[TABLE_OF(v)] & BIT(p))
#endif

/* Of a shared table, whose entries do not change. */
inline fill_table(v)
{
	old = TABLE_OF(v);
	for (p_ : 0 .. PAGES - 1) {
		pte_frame[ENTRY(new_table - 1, p_)] = pte_frame[ENTRY(old, p_)]
	}
#if FAULT == COPY_KEEPS_W
	pte_w[new_table - 1] = pte_w[old];
#else
	pte_w[new_table - 1] = 0;
#endif
	table_birth[new_table - 1] = BIRTH;
	p_ = 0
}

/* Both tables translate alike, so nobody waits for the flush; old ones are in limbo until then. */
inline link_table(v, p)
{
	remember_root(ROOT_OF(v));
	TABLE_OF(v) = new_table - 1;
	TABLE_W(v) = true;
	new_table = 0;
	raise(v, BIT(p));
	table_waits[old] = flush_waits[v];
	flush_waits[v] = 0;
	if
	:: OWNS(ROOT_OF(v), table_birth[old]) -> unlink_table(ROOT_OF(v), old)
	:: else
	fi
}

/* By compare-and-swap: where two have made the same table, one of them is dropped. */
inline swap_table(v, p)
{
	if
#if FAULT == TABLE_WITHOUT_CAS
	:: true -> link_table(v, p)
#else
	:: TABLE_OF(v) == old && !TABLE_W(v) -> link_table(v, p)
	:: else
#endif
	fi;
	old = 0
}

inline lock_and_copy(v, p)
{
	pte_lock[TABLE_OF(v)] = pte_lock[TABLE_OF(v)] | BIT(p);
	old = FRAME_OF(v, p);
	frame_birth[new_page - 1] = BIRTH;
#if FAULT != COPY_AFTER_LINK
	memory[new_page - 1] = memory[old]
#endif
}

/*
 * Without W at first: until all have left the old frame, some read that and some the new one.
 */
inline link_page(v, p)
{
	remember_entry(TABLE_OF(v), p);
	FRAME_OF(v, p) = new_page - 1;
	remember_entry(TABLE_OF(v), p);
#if FAULT == W_BEFORE_FLUSH
	pte_w[TABLE_OF(v)] = pte_w[TABLE_OF(v)] | BIT(p);
#endif
#if FAULT == PAGE_WITHOUT_FLUSH
	invalidate(v, BIT(p));
#else
	raise(v, BIT(p));
#endif
	frame_waits[old] = flush_waits[v];
	new_page = 0;
	check_all()
}

inline open_page(v, p)
{
	pte_w[TABLE_OF(v)] = pte_w[TABLE_OF(v)] | BIT(p);
	pte_lock[TABLE_OF(v)] = pte_lock[TABLE_OF(v)] & ~BIT(p)
}

inline unlink_old(v)
{
	if
	:: OWNS(ROOT_OF(v), frame_birth[old]) -> unlink_frame(ROOT_OF(v), old)
	:: else
	fi;
	old = 0
}

inline copy_page(v, p)
{
	d_step { link_page(v, p) };
#if FAULT == COPY_AFTER_LINK
	d_step { memory[FRAME_OF(v, p)] = memory[old] };
#endif
#if FAULT == PAGE_FLUSHES_LAZILY
	flush_waits[v] = 0;
#else
	wait_for_flush(v);
#endif
	atomic { skip; d_step { open_page(v, p) } };
#if FAULT == HOLDER_IS_CHOSEN_EARLY
	/* Not under the lock of those who hold: the snapshot may be released by then. */
	d_step { look_for_holder(now * (ROOT_OF(v) == MAIN), frame_birth[old]); other = holder_ };
	d_step {
		if
		:: other -> frame_state[old] = HELD; frame_holder[old] = other
		:: else -> unlink_old(v)
		fi;
		other = 0;
		old = 0
	}
#else
	d_step { unlink_old(v) }
#endif
}

/* What another attempt made needless. */
inline drop_new()
{
	if
	:: new_table -> free_table(new_table - 1)
	:: else
	fi;
	if
	:: new_page -> free_frame(new_page - 1)
	:: else
	fi;
	new_table = 0;
	new_page = 0
}

inline write_fault(v, p)
{
	do
#if FAULT == ATTEMPT_PARKS
	:: !TABLE_W(v) && TABLE_ALONE(v) -> park(v); TABLE_W(v) = true
#else
	:: d_step { !TABLE_W(v) && TABLE_ALONE(v) -> TABLE_W(v) = true }
#endif
	:: d_step { !TABLE_W(v) && !TABLE_ALONE(v) && !new_table && ANY_TABLE ->
			take_table(new_table, 0); new_table++ }
	:: d_step { !TABLE_W(v) && !TABLE_ALONE(v) && new_table -> fill_table(v) };
		d_step { swap_table(v, p) }
	:: d_step { TABLE_W(v) && PAGE_W(v, p) && !PAGE_LOCKED(v, p) -> skip }; break
	:: d_step { TABLE_W(v) && !PAGE_W(v, p) && !PAGE_LOCKED(v, p) && PAGE_ALONE(v, p) ->
			open_page(v, p) }; break
	:: d_step { TABLE_W(v) && !PAGE_W(v, p) && !PAGE_LOCKED(v, p) && !PAGE_ALONE(v, p) &&
		    !new_page && ANY_FRAME -> take_frame(new_page, 0); new_page++ }
	:: d_step { TABLE_W(v) && !PAGE_W(v, p) && !PAGE_LOCKED(v, p) && !PAGE_ALONE(v, p) &&
		    new_page -> lock_and_copy(v, p) };
		copy_page(v, p);
		break
#if FAULT != WAITS_WITHOUT_FLUSHING
	:: d_step { pending[v] -> catch_up(v) }
#endif
	od;
	atomic { skip; d_step { drop_new() } }
}
