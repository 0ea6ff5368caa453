/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eventual reclaim where the others never go to the host again, which would settle everything:
 * with FOR_EVER they run on in guest mode, and all that makes them flush is interrupts. Whoever has
 * released the last snapshot wants memory, so it waits until nobody is behind (frames_alloc);
 * then what is not main's must be free and settled.
 *
 * This is liveness, checked as such: in every run in which each vCPU that can go on does so at some
 * time (weak fairness), memory is reclaimed. A vCPU takes no further instruction while an interrupt
 * is due.
 */

bool reclaimed;

#if FAULT == NO_INTERRUPTS
#define NOT_INTERRUPTED(v) true
#else
#define NOT_INTERRUPTED(v) (pending[v] == 0 && stopper == 0)
#endif

inline who_is_behind(v)
{
	who_is_inside();
	for (v_ : 0 .. VCPUS - 1) {
		if
		:: !pending[v_] -> inside_ = inside_ & ~BIT(v_)
		:: else
		fi
	}
	v_ = 0;
	flush_waits[v] = inside_
}

inline reclaim_all(v)
{
	d_step { who_is_behind(v) };
	wait_for_flush(v);
	atomic { skip; d_step {
		check_end();
		reclaimed = true
	} }
}

#if FOR_EVER
ltl eventually_reclaimed { <> reclaimed }
#endif
