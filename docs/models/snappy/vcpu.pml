/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a vCPU does: so many stores, system calls, cuts and visits to snapshots, in any order and
 * to any page. Whoever cuts also releases, all but the first snapshot where KEEPS_FIRST says so. A
 * vCPU leaves when it has nothing left to do; visits need not be made.
 */

#if PAGES == 1
#define CHOOSE_PAGE page = 1
#else
#define CHOOSE_PAGE if :: page = 1 :: page = 2 fi
#endif

#define TO_RELEASE(s) (IS_LIVE(s) && !(KEEPS_FIRST && epoch[s] == 1))

#if SNAPSHOTS == 1
#define NOTHING_TO_RELEASE (!TO_RELEASE(1))
#else
#define NOTHING_TO_RELEASE (!TO_RELEASE(1) && !TO_RELEASE(2))
#endif

#define IDLE (page == 0 && operation == NOTHING)
#define IN_MAIN(v) (IDLE && view[v] == MAIN)
#define HAS_WORK (stores || calls || cuts || (releases && (cuts_left || !NOTHING_TO_RELEASE)))

#define WRITES (operation == STORE || operation == WRITING_CALL)

inline choose_call()
{
	CHOOSE_PAGE;
	if
	:: operation = READING_CALL
	:: operation = WRITING_CALL
	fi;
	if
	:: cuts == 0 -> in_cuts = true
	:: skip
	fi
}

/* By any translation that the processor may have. */
#define BY(v, g) MAY_WRITE(v, page - 1, g) -> f = g

inline choose_translation(v)
{
	if
	:: BY(v, 0)
	:: BY(v, 1)
	:: BY(v, 2)
#if FRAMES > 3
	:: BY(v, 3)
#endif
#if FRAMES > 4
	:: BY(v, 4)
#endif
#if FRAMES > 5
	:: BY(v, 5)
#endif
#if FRAMES > 6
	:: BY(v, 6)
#endif
	fi
}

#define MAY_STORE(v) (MAY_USE(v, page - 1) & WRITABLE_TRANSLATIONS_OF(page - 1))

proctype vcpu(byte me; byte stores; byte calls; byte cuts; byte visits)
{
	byte operation;
	byte page;			/* of a store or a call, + 1 */
	byte f;				/* to which a store goes */
	byte old, new_table, new_page;	/* of a write fault; the last two + 1 */
	byte other, last_epoch;		/* of a cut, a release */
	bool in_cuts;			/* the call does not return before all snapshots are made */
	bool releases;
#if FOR_EVER
	bool idle;
#endif

	d_step { releases = cuts > 0 };
	enter(me);
	do
	:: atomic { stores && IDLE -> stores--; operation = STORE; CHOOSE_PAGE }
	:: atomic { operation == STORE && MAY_STORE(me) -> choose_translation(me);
		    d_step { store(me, page - 1, f); f = 0; page = 0; operation = NOTHING } }
	:: WRITES && !IS_WRITABLE(view[me], page - 1) -> write_fault(me, page - 1)
#if WITH_CALLS
	:: atomic { calls && IDLE -> calls--; choose_call() }
	:: operation == READING_CALL ||
	   (operation == WRITING_CALL && IS_WRITABLE(view[me], page - 1)) ->
		system_call(me, page - 1)
#endif
#if WITH_VISITS
	:: d_step { visits && IN_MAIN(me) && MAY_ATTACH(1) -> visits--; attach(me, 1) }
#if SNAPSHOTS > 1
	:: d_step { visits && IN_MAIN(me) && MAY_ATTACH(2) -> visits--; attach(me, 2) }
#endif
	:: d_step { IDLE && view[me] != MAIN -> detach(me) }
#endif
	:: atomic { cuts && IN_MAIN(me) && ANY_PLACE -> cuts--; operation = CUT }
	:: atomic { releases && IN_MAIN(me) && TO_RELEASE(1) && MAY_RELEASE(1) ->
		    operation = RELEASE(1) }
#if SNAPSHOTS > 1
	:: atomic { releases && IN_MAIN(me) && TO_RELEASE(2) && MAY_RELEASE(2) ->
		    operation = RELEASE(2) }
#endif
	:: atomic { operation >= CUT && !engine_lock -> engine_lock = true };
		create_or_release(me)
#if FAULT != NO_INTERRUPTS
	:: d_step { pending[me] -> catch_up(me) }
#endif
	:: stopper && stopper != me + 1 -> park(me)
#if FOR_EVER
	:: d_step { !releases && !HAS_WORK && IN_MAIN(me) && !idle -> idle = true; gone++ }
	:: idle && NOT_INTERRUPTED(me) -> skip
	:: releases && !HAS_WORK && IN_MAIN(me) && gone == VCPUS - 1 -> reclaim_all(me); break
#else
	:: !HAS_WORK && IN_MAIN(me) -> break
#endif
	od;
	atomic { skip; d_step {
		go_outside(me);
		gone++;
		if
		:: gone == VCPUS -> check_end()
		:: else
		fi
	} }
}

init {
	atomic {
		d_step {
			for (p_ : 0 .. PAGES - 1) {
				memory[p_] = p_ * 16 + 1;
				TRUTH(MAIN, p_) = memory[p_];
				frame_state[p_] = MAPPED;
				frame_birth[p_] = now;
				pte_frame[ENTRY(0, p_)] = p_
			}
			p_ = 0;
			pte_w[0] = ALL_PAGES;
			table_state[0] = MAPPED;
			table_birth[0] = now;
			root_w[MAIN] = true
		};
		run vcpu(0, VCPU0);
		run vcpu(1, VCPU1);
#if VCPUS > 2
		run vcpu(2, VCPU2)
#endif
	}
}
