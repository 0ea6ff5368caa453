/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where vCPUs are, and the stopped world (libdbos/src/cpu/cpus.c, world.c).
 *
 * A vCPU that is ENTERING has said that it is inside, and has not flushed yet: for all others it is
 * inside, but it runs nothing. A thread in the host that walks the page table is in the same
 * place. Interrupts come while they are on, whether an IPI was sent or not: that IPIs are not lost
 * is for T2 and T3 of tests/model, and one that comes too early is only one more run.
 */

byte stopper;				/* the vCPU that has stopped the world, + 1 */

#define COUNTS_AS_INSIDE(v) (where[v] == ENTERING || where[v] == INSIDE)

/* To the host: nobody waits for v from here on. */
inline go_outside(v)
{
	where[v] = OUTSIDE;
	leave_sets(v)
}

/* From the host: says that it is inside, and looks whether the world is stopped. */
inline say_inside(v)
{
#if FAULT == LOOKS_BEFORE_IT_SAYS
	/* The barrier is missing: its two sides change places. */
	stopper == 0;
	where[v] = ENTERING
#else
	do
	:: where[v] = ENTERING;
	   if
	   :: stopper == 0 -> break
	   :: else -> d_step { go_outside(v) };
		      stopper == 0
	   fi
	od
#endif
}

/* Then it flushes what it is behind with, and runs. */
inline run_guest(v)
{
	atomic { skip; d_step {
#if FAULT != NO_FLUSH_AT_ENTRY
		catch_up(v);
#endif
		where[v] = INSIDE;
		check_view(v)
	} }
}

inline enter(v)
{
	say_inside(v);
	run_guest(v)
}

/*
 * Parked until the world runs again. Flushes that others wait for go on; one more is behind it all,
 * for what was raised between the last of them and the start of the world. v counts as inside by
 * then: before, the world may have been stopped, cut and started without it once more.
 */
inline park(v)
{
	do
	:: stopper && stopper != v + 1 ->
		where[v] = PARKED;
		do
#if FAULT != PARKED_DOES_NOT_FLUSH
		:: d_step { pending[v] -> catch_up(v) }
#endif
		:: stopper == 0 -> break
		od;
#if FAULT == PARK_FLUSHES_TOO_EARLY
		atomic { skip; d_step { catch_up(v) } };
#endif
		where[v] = INSIDE
	:: else -> break
	od;
#if FAULT != PARK_ENDS_WITHOUT_FLUSH && FAULT != PARK_FLUSHES_TOO_EARLY
	atomic { skip; d_step { catch_up(v) } }
#endif
}

#if FAULT == WAITS_FOR_THE_HOST
#define MUST_STOP(v) (where[v] != PARKED)
#else
#define MUST_STOP(v) COUNTS_AS_INSIDE(v)
#endif

/*
 * v stops the others, and looks at one after the other. Nobody else stops the world meanwhile: the
 * lock of the engine sees to that, and other stoppers are for T3 of tests/model.
 */
inline stop_world(v)
{
	stopper = v + 1;
#if FAULT != NO_STOP
	do
	:: other == VCPUS -> break
	:: other < VCPUS && (other == v || !MUST_STOP(other)) -> other++
	:: d_step { pending[v] -> catch_up(v) }
	od;
	other = 0
#endif
}

inline start_world()
{
	stopper = 0
}
