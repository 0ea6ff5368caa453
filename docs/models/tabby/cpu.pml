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

#define ANY_DIRTY (CAN_WRITE_BACK(0) || CAN_WRITE_BACK(1))

inline choose_dirty(f)
{
	if
	:: CAN_WRITE_BACK(0) -> f = 0
	:: CAN_WRITE_BACK(1) -> f = 1
	fi
}

/* Again, until what was read is valid, or the disk has refused. */
inline perform(v, p, f)
{
	do
	:: valid || refused -> break
	:: !valid && !refused ->
		pin(v, p, f);
		if
		:: refused
		:: !refused && operation == READ -> read_optimistic(v, p, f)
		:: !refused && operation == SHARE ->
			read_pinned(v, p, f);
			d_step { word[f] = word[f] - 1; valid = true }
		:: !refused && operation == WRITE ->
			read_pinned(v, p, f);
			write_pinned(v, p, f)
		fi
	od
}

#define IDLE (operation == NOTHING)

inline reset()
{
	operation = NOTHING; page = 0; frame = 0; seen = 0; first = 0; second = 0;
	pinned = false; valid = false; refused = false
}

byte gone;				/* CPUs that have left */

proctype cpu(byte me; byte reads; byte writes; byte shares; byte flushes)
{
	byte operation;
	byte page;
	byte frame, mine;
	short seen;			/* the word that the operation goes by */
	bool is_mine;
	byte first, second;		/* of the content */
	byte by;
	bool pinned, valid;
	bool refused;			/* for an error of the disk */
	byte left;			/* words that a device has to copy */
	bool failed, taken;
	byte victim_page;

	do
	:: atomic { IDLE && reads -> reads--; operation = READ; choose_page() }
	:: atomic { IDLE && writes -> writes--; operation = WRITE; choose_page() }
	:: atomic { IDLE && shares -> shares--; operation = SHARE; choose_page() }
	:: operation != NOTHING -> perform(me, page, frame);
		atomic { skip; d_step { reset() } }
	:: atomic { IDLE && flushes && ANY_DIRTY -> flushes--; choose_dirty(frame) };
		write_back(frame);
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
				disk[p_ * 2] = CONTENT(p_, 0);
				disk[p_ * 2 + 1] = CONTENT(p_, 0)
			}
			p_ = 0;
			for (f_ : 0 .. FRAMES - 1) {
				name[f_] = NAMES(f_);
				hint[f_] = f_;
				content[f_ * 2] = CONTENT(f_, 0);
				content[f_ * 2 + 1] = CONTENT(f_, 0);
				pte[f_] = f_ + 1
			}
			f_ = 0
		};
		run cpu(0, CPU0);
		run cpu(1, CPU1)
	}
}
