/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes by generations (libdbos/src/cpu/tlb.h).
 *
 * A generation is modelled by the set of vCPUs that are behind it: each flusher has the set that it
 * waits for, each unlinked frame and table the set that may still lead there. A vCPU that catches
 * up, or goes to the host, leaves all of these sets. That is what comparing numbers comes to, and
 * has no counter that grows. One that is in the host at the moment of the flush is in none of the
 * sets: it flushes at its entry, since its pages are pending.
 *
 * To catch up is one step: the code reads the generation, flushes, and publishes behind the flush,
 * so whoever sees it published sees a flush that came after the generation was raised.
 */

byte pending[VCPUS];			/* the pages that v is behind with */
byte flush_waits[VCPUS];		/* vCPUs that the flush of v waits for */
byte frame_waits[FRAMES];		/* vCPUs that may still reach it by a TLB */
byte table_waits[TABLES];


inline leave_sets(v)
{
	for (v_ : 0 .. VCPUS - 1) {
		flush_waits[v_] = flush_waits[v_] & ~BIT(v)
	}
	for (f_ : 0 .. FRAMES - 1) {
		frame_waits[f_] = frame_waits[f_] & ~BIT(v)
	}
	for (t_ : 0 .. TABLES - 1) {
		table_waits[t_] = table_waits[t_] & ~BIT(v)
	}
	v_ = 0; f_ = 0; t_ = 0
}

inline catch_up(v)
{
#if FAULT == FIRST_PAGE_ONLY
	/* Published 5.1.3: all but the first request of a batch are read from the wrong place. */
	invalidate(v, pending[v] & -pending[v]);
#else
	invalidate(v, pending[v]);
#endif
	pending[v] = 0;
	leave_sets(v)
}

/* Sets inside_ to the vCPUs that are not in the host. */
hidden byte inside_;

inline who_is_inside()
{
	inside_ = 0;
	for (v_ : 0 .. VCPUS - 1) {
		if
		:: where[v_] != OUTSIDE -> inside_ = inside_ | BIT(v_)
		:: else
		fi
	}
	v_ = 0
}

/* v has changed entries of these pages; then it flushes itself. */
inline raise(v, pages)
{
	who_is_inside();
	for (v_ : 0 .. VCPUS - 1) {
		pending[v_] = pending[v_] | (pages)
	}
	v_ = 0;
	flush_waits[v] = inside_;
	catch_up(v)
}

/* The others have caught up with it; v does with theirs meanwhile. */
inline wait_for_flush(v)
{
	do
	:: flush_waits[v] == 0 -> break
	:: d_step { pending[v] -> catch_up(v) }
	od
}
