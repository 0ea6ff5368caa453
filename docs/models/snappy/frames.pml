/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames and leaf tables: their lives, limbo, and who gets them next (libdbos/src/snappy/life.h,
 * branch.h, frames.c).
 *
 * Time is counted in epochs; a snapshot ends one. What main maps in epoch b and unlinks in epoch d
 * is what the snapshots of b .. d - 1 see, and nobody else. Whoever unlinks it gives it to the
 * youngest of them to hold, and who releases a snapshot passes what it held on to the next older
 * one that sees it. What a snapshot has written is born later than its own epoch, and ends with it.
 *
 * What nobody holds waits in limbo for the vCPUs that may reach it by their TLBs (tlb.pml), and
 * for calls that the host makes with it (calls.pml). Which free frame is handed out does not
 * matter to the protocol: the lowest is. Pages and tables are of two pools here; what can be
 * handed out is looked at when it becomes free, whoever gets it. Nobody runs out of either, as an
 * allocation that fails ends a fault, and the program.
 */

#define NOBODY 0			/* no snapshot has this number */

byte now = 1;				/* the present epoch */
byte epoch[ROOTS];			/* that it ended; 0: there is none, or it is main */
byte users[ROOTS];			/* vCPUs that are in this view */

byte frame_state[FRAMES];		/* FREE, MAPPED, HELD, USED_BY_HOST */
byte frame_birth[FRAMES];
byte frame_holder[FRAMES];
byte table_state[TABLES];
byte table_birth[TABLES];
byte table_holder[TABLES];
byte noted[FRAMES];			/* how many calls of the host's were noted to use it */

#define IS_LIVE(s) (epoch[s] != 0)
#if FAULT == BIRTH_TOO_LATE
#define BIRTH (now + 1)
#else
#define BIRTH now
#endif

#if SNAPSHOTS == 1
#define SEES_ANY(birth) (epoch[1] >= (birth))
#define ANY_PLACE (!IS_LIVE(1))
#else
#define SEES_ANY(birth) (epoch[1] >= (birth) || epoch[2] >= (birth))
#define ANY_PLACE (!IS_LIVE(1) || !IS_LIVE(2))
#endif

/* Root r may write it where it is: its own, and no snapshot of it sees it. */
#define OWNS(r, birth) ((birth) > epoch[r])
#if FAULT == ALONE_BY_REFERENCES
/* Published 5.1.8: one table has it linked, so it is taken for main's alone. */
#define HAS_ALONE(r, birth) OWNS(r, birth)
#else
#define HAS_ALONE(r, birth) (OWNS(r, birth) && ((r) != MAIN || !SEES_ANY(birth)))
#endif

#if FAULT == NO_LIMBO
#define CAN_HAVE_FRAME(f) (frame_state[f] == FREE)
#define CAN_HAVE_TABLE(t) (table_state[t] == FREE)
#else
#define CAN_HAVE_FRAME(f) (frame_state[f] == FREE && frame_waits[f] == 0)
#define CAN_HAVE_TABLE(t) (table_state[t] == FREE && table_waits[t] == 0)
#endif

#define ANY_TABLE_FROM_3 (TABLES > 3 && CAN_HAVE_TABLE(3 % TABLES) || \
	TABLES > 4 && CAN_HAVE_TABLE(4 % TABLES) || TABLES > 5 && CAN_HAVE_TABLE(5 % TABLES))
#define ANY_TABLE (CAN_HAVE_TABLE(0) || CAN_HAVE_TABLE(1) || CAN_HAVE_TABLE(2) || ANY_TABLE_FROM_3)
#define ANY_FRAME_FROM_3 (FRAMES > 3 && CAN_HAVE_FRAME(3 % FRAMES) || \
	FRAMES > 4 && CAN_HAVE_FRAME(4 % FRAMES) || FRAMES > 5 && CAN_HAVE_FRAME(5 % FRAMES) || \
	FRAMES > 6 && CAN_HAVE_FRAME(6 % FRAMES))
#define ANY_FRAME (CAN_HAVE_FRAME(0) || CAN_HAVE_FRAME(1) || CAN_HAVE_FRAME(2) || ANY_FRAME_FROM_3)

/* There is ANY_FRAME, ANY_TABLE. */
inline take_frame(f, birth)
{
	f = 0;
	do
	:: CAN_HAVE_FRAME(f) -> break
	:: else -> f++
	od;
	check_frame_is_nobodys(f);
	frame_state[f] = MAPPED;
	frame_birth[f] = birth
}

inline take_table(t, birth)
{
	t = 0;
	do
	:: CAN_HAVE_TABLE(t) -> break
	:: else -> t++
	od;
	check_table_is_nobodys(t);
	table_state[t] = MAPPED;
	table_birth[t] = birth
}

inline free_frame(f)
{
	frame_birth[f] = 0;
	frame_holder[f] = NOBODY;
	if
	:: noted[f] -> frame_state[f] = USED_BY_HOST
	:: else -> frame_state[f] = FREE
	fi;
	if
	:: CAN_HAVE_FRAME(f) -> check_frame_is_nobodys(f)
	:: else
	fi
}

inline free_table(t)
{
	table_birth[t] = 0;
	table_holder[t] = NOBODY;
	table_state[t] = FREE;
	if
	:: CAN_HAVE_TABLE(t) -> check_table_is_nobodys(t)
	:: else
	fi
}

hidden byte holder_, r_;

#if FAULT == OLD_SNAPSHOT_PINS
/* Published 4.1: kept while there is any older snapshot, whether that sees it or not. */
#define SEES(s, birth) true
#elif FAULT == HOLDS_TOO_LITTLE
#define SEES(s, birth) (epoch[s] > (birth))
#else
#define SEES(s, birth) (epoch[s] >= (birth))
#endif

/* Sets holder_: the youngest snapshot older than epoch e, if it sees what was born then. */
inline look_for_holder(e, birth)
{
	holder_ = NOBODY;
	for (r_ : 1 .. SNAPSHOTS) {
		if
		:: IS_LIVE(r_) && epoch[r_] < (e) && epoch[r_] > epoch[holder_] -> holder_ = r_
		:: else
		fi
	}
	if
	:: holder_ != NOBODY && !(SEES(holder_, birth)) -> holder_ = NOBODY
	:: else
	fi;
	r_ = 0
}

/* Root r no longer maps it, and it was its own. */
inline unlink_frame(r, f)
{
	look_for_holder(now * (r == MAIN), frame_birth[f]);
	if
	:: holder_ != NOBODY -> frame_state[f] = HELD; frame_holder[f] = holder_
	:: else -> free_frame(f)
	fi
}

inline unlink_table(r, t)
{
	look_for_holder(now * (r == MAIN), table_birth[t]);
	if
	:: holder_ != NOBODY -> table_state[t] = HELD; table_holder[t] = holder_
	:: else -> free_table(t)
	fi
}
