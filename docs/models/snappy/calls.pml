/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls with memory arguments (libdbos/src/sys/pass.c, mm/inflight.h).
 *
 * The host's kernel reads or writes a frame that was looked up before the call. It faults on
 * nothing, and no flush reaches it. So what it uses is noted, by a thread that counts as inside
 * while it looks up and notes. A page that it writes is the caller's alone before the call begins,
 * and kept by main if a snapshot is cut meanwhile; a frame that it uses is handed out to nobody
 * until the call ends.
 *
 * Some calls do not return before all snapshots have been made (a read from a pipe that is filled
 * behind them): so nothing may wait for them.
 */

byte writing[VCPUS];			/* the page that the host writes for v, + 1 */

#if FAULT == NOT_STAGED
/* Published 5.1.7: the host takes the address for main's, whoever calls. */
#define CALLER(v) MAIN
#else
#define CALLER(v) view[v]
#endif

/* Sets the frame that the host will use, whether that is noted or not. */
inline look_up(v, p)
{
	call_frame[v] = SHOWS(CALLER(v), p) + 1;
	assert(isolation || memory[call_frame[v] - 1] == TRUTH(view[v], p))
}

inline note(v, p)
{
#if FAULT != WRITE_IS_NOT_NOTED
	if
	:: operation == WRITING_CALL -> writing[v] = p + 1
	:: else
	fi;
#endif
#if FAULT != READ_IS_NOT_NOTED
	f_ = call_frame[v] - 1;
	noted[f_]++;
	f_ = 0
#else
	skip
#endif
}

/* The thread is in the host, and walks. */
inline begin_call(v, p)
{
#if FAULT == WALKS_OUTSIDE
	skip;
#else
	say_inside(v);
#endif
	if
#if FAULT == WRITTEN_IS_NOT_OWN
	/* Published 5.1.1: the host's stores go around copy-on-write. */
	:: true ->
#else
	:: operation == READING_CALL || IS_WRITABLE(view[v], p) ->
#endif
		d_step { look_up(v, p) };
		d_step { note(v, p) }
	:: else
	fi;
	d_step { go_outside(v) }
}

/* Sends what has waited for this call on its way. */
inline end_call(v)
{
	f_ = call_frame[v] - 1;
	writing[v] = 0;
#if FAULT != READ_IS_NOT_NOTED
	noted[f_]--;
#endif
	if
#if FAULT != WAITING_IS_FORGOTTEN
	:: frame_state[f_] == USED_BY_HOST && !noted[f_] -> frame_state[f_] = FREE
#endif
	:: else
	fi;
	f_ = 0;
	call_frame[v] = 0;
	operation = NOTHING;
	page = 0;
	in_cuts = false
}

/* Where the page is not the caller's alone any more, it comes back for a write fault first. */
inline system_call(v, p)
{
	d_step { go_outside(v) };
	begin_call(v, p);
	do
	:: operation == WRITING_CALL && call_frame[v] && stores_of_host ->
		d_step { stores_of_host--; store(v, p, call_frame[v] - 1) }
	:: !call_frame[v] || !in_cuts || cuts_left == 0 -> break
	od;
	say_inside(v);
	atomic { skip; d_step {
		if
		:: call_frame[v] -> end_call(v)
		:: else
		fi
	} };
	run_guest(v)
}
