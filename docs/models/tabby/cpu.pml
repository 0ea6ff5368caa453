/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a CPU does: so many optimistic reads, writes, reads with a shared pin and write-backs, in
 * any order and of any page. Write-backs need not be made.
 */

inline choose_page()
{
	if
	:: page = 0
	:: page = 1
	:: page = 2
	fi
}

#define IS_DIRTY(f) (dirty[f] && CAN_WRITE_BACK(f))
#define ANY_DIRTY (IS_DIRTY(0) || IS_DIRTY(1))

inline choose_dirty(f)
{
	if
	:: IS_DIRTY(0) -> f = 0
	:: IS_DIRTY(1) -> f = 1
	fi
}

/* Again, until what was read is valid, or the disk has refused. */
inline perform(v, p)
{
	do
	:: valid || refused -> break
	:: !valid && !refused ->
		pin(v, p);
		if
		:: refused
		:: !refused && operation == READ -> read_optimistic(v, p)
		:: !refused && operation == SHARE ->
			read_pinned(v, p);
			d_step { set_header(FRAME_OF(seen), ONE_LESS(header[FRAME_OF(seen)]));
				valid = true }
		:: !refused && operation == WRITE ->
			read_pinned(v, p);
			write_pinned(v, p);
			d_step { unlock(p); valid = true }
		fi
	od
}

#define IDLE (operation == NOTHING)

inline reset()
{
	operation = NOTHING; page = 0; frame = 0; seen = 0; word = 0; second = 0;
	pinned = false; valid = false; refused = false
}

byte gone;				/* CPUs that have left */

proctype cpu(byte me; byte reads; byte writes; byte shares; byte flushes)
{
	byte operation;
	byte page;
	byte frame;
	short seen;			/* the header that the operation goes by */
	byte word, second;		/* of the content */
	bool pinned, valid;
	bool refused;			/* for an error of the disk */
	byte left;			/* words that a device has to copy */
	bool failed, taken;
	byte victim_page;

	do
	:: atomic { IDLE && reads -> reads--; operation = READ; choose_page() }
	:: atomic { IDLE && writes -> writes--; operation = WRITE; choose_page() }
	:: atomic { IDLE && shares -> shares--; operation = SHARE; choose_page() }
	:: operation != NOTHING -> perform(me, page);
		atomic { skip; d_step { reset() } }
	:: atomic { IDLE && flushes && ANY_DIRTY -> flushes--; choose_dirty(frame) };
		if
		:: dirty[frame] -> write_back(frame)
		:: else
		fi;
		frame = 0
	:: IDLE && !reads && !writes && !shares -> break
	od;
	atomic { skip; d_step {
		gone++;
		if
		:: gone == CPUS -> check_end()
		:: else
		fi
	} }
}

/* Pages 0 and 1 are in frames 0 and 1; all are on disk. */
init {
	atomic {
		d_step {
			for (p_ : 0 .. PAGES - 1) {
				image[p_] = FIRST_IMAGE(p_);
				disk[p_ * 2] = CONTENT(p_, 0);
				disk[p_ * 2 + 1] = CONTENT(p_, 0)
			}
			p_ = 0;
			for (f_ : 0 .. FRAMES - 1) {
				is_free[f_] = f_ > 1;
				header[f_] = (f_ > 1 -> NOBODY : WORD(f_, UNLOCKED, 0, f_));
				content[f_ * 2] = (f_ > 1 -> GARBAGE : CONTENT(f_, 0));
				content[f_ * 2 + 1] = (f_ > 1 -> GARBAGE : CONTENT(f_, 0))
			}
			f_ = 0;
			pte[0] = 1;
			pte[1] = 2
		};
		run cpu(0, CPU0);
		run cpu(1, CPU1)
	}
}
