/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold. None of this is read by the protocol.
 *
 * Reads are no steps of their own. A vCPU may read any page at any time, so at each step that could
 * do damage everything that it could reach is compared with what it must see: main the last store
 * to that page, by whomever; a snapshot what main had at the cut, and its own stores since.
 *
 *   isolation	a snapshot shows what was there at its cut, and nothing else, as long as it lives
 *   coherence	main sees its last stores: none is lost, and none is missed by a stale translation
 *   reuse	what is handed out is in nobody's reach: tables, TLBs and links, calls of the host's
 *   reclaim	in the end what is in use is what can be reached, and no more
 *
 * And no vCPU waits for ever: the verifier reports that as an invalid end state.
 */

/* All of them false, always: they name what has failed in the verifier's report. */
hidden byte isolation, coherence, reuse, reclaim;

byte truth[ROOTS * PAGES];		/* what was stored last, in each view */
byte call_frame[VCPUS];			/* the frame that the host uses for v, + 1 */

hidden byte o_, reach_, links_;

#define RUNS(v) (where[v] == INSIDE || where[v] == PARKED)
#define TRUTH(r, p) truth[(r) * PAGES + (p)]

inline check_view(v)
{
	for (p_ : 0 .. PAGES - 1) {
		for (f_ : 0 .. FRAMES - 1) {
			if
			:: REACHES(v, p_, f_) && view[v] == MAIN ->
				assert(coherence || memory[f_] == TRUTH(MAIN, p_))
			:: REACHES(v, p_, f_) && view[v] != MAIN ->
				assert(isolation || memory[f_] == TRUTH(view[v], p_))
			:: else
			fi
		}
	}
	p_ = 0;
	f_ = 0
}

/* Through the tables, whether anybody looks or not; then through every TLB. */
inline check_all()
{
	for (p_ : 0 .. PAGES - 1) {
		assert(coherence || memory[SHOWS(MAIN, p_)] == TRUTH(MAIN, p_));
		for (s_ : 1 .. SNAPSHOTS) {
			assert(isolation || !IS_LIVE(s_) || memory[SHOWS(s_, p_)] == TRUTH(s_, p_))
		}
	}
	for (o_ : 0 .. VCPUS - 1) {
		if
		:: RUNS(o_) -> check_view(o_)
		:: else
		fi
	}
	o_ = 0;
	p_ = 0;
	s_ = 0
}

/* Sets reach_: some root shows the frame. */
inline look_for_frame(f)
{
	reach_ = false;
	for (p_ : 0 .. PAGES - 1) {
		reach_ = reach_ || SHOWS(MAIN, p_) == f;
		for (s_ : 1 .. SNAPSHOTS) {
			reach_ = reach_ || (IS_LIVE(s_) && SHOWS(s_, p_) == f)
		}
	}
	p_ = 0;
	s_ = 0
}

inline check_frame_is_nobodys(f)
{
	look_for_frame(f);
	for (o_ : 0 .. VCPUS - 1) {
		reach_ = reach_ || call_frame[o_] == f + 1;
		for (p_ : 0 .. PAGES - 1) {
			reach_ = reach_ || (RUNS(o_) && REACHES(o_, p_, f))
		}
	}
	assert(reuse || !reach_);
	o_ = 0;
	p_ = 0
}

inline look_for_table(t)
{
	reach_ = root_table[MAIN] == t;
	for (s_ : 1 .. SNAPSHOTS) {
		reach_ = reach_ || (IS_LIVE(s_) && root_table[s_] == t)
	}
	s_ = 0
}

inline check_table_is_nobodys(t)
{
	look_for_table(t);
	for (o_ : 0 .. VCPUS - 1) {
		links_ = stale_tables[o_] & (LINK(t, 0) | LINK(t, 1));
		reach_ = reach_ || (RUNS(o_) && links_)
	}
	assert(reuse || !reach_);
	o_ = 0
}

/* By v, or by the host for it, to a page of its view: a value that was nowhere before. */
#define NEXT_VALUE(r, old) ((r) != MAIN && (old) < 64 -> (old) + 64 * (r) : (old) + 1)

inline store(v, p, f)
{
	TRUTH(view[v], p) = NEXT_VALUE(view[v], TRUTH(view[v], p));
	memory[f] = TRUTH(view[v], p);
	check_all()
}

/* All vCPUs are gone. */
inline check_end()
{
	check_all();
	for (f_ : 0 .. FRAMES - 1) {
		look_for_frame(f_);
		assert(reclaim || (reach_ -> frame_state[f_] != FREE : CAN_HAVE_FRAME(f_)))
	}
	for (t_ : 0 .. TABLES - 1) {
		look_for_table(t_);
		assert(reclaim || (reach_ -> table_state[t_] != FREE : CAN_HAVE_TABLE(t_)))
	}
	f_ = 0;
	t_ = 0
}
