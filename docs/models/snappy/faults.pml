/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults that can be put into the protocol, one at a time: -DFAULT=NAME. Where a name is used is
 * seen what is wrong then; lab/protocol/snappy_faults.py says in which size each is looked for, and
 * what it must violate. Without FAULT the protocol is as it should be.
 */
#define NONE 0
#define ALONE_BY_REFERENCES 1
#define ATTEMPT_PARKS 2
#define BIRTH_TOO_LATE 3
#define COPY_AFTER_LINK 4
#define COPY_KEEPS_W 5
#define CUT_WITHOUT_FLUSH 6
#define ENTRY_NOT_LOCKED 7
#define FIRST_PAGE_ONLY 8
#define HOLDER_IS_CHOSEN_EARLY 9
#define HOLDS_TOO_LITTLE 10
#define LIMBO_IS_FORGOTTEN 11
#define LOOKS_BEFORE_IT_SAYS 12
#define NOT_STAGED 13
#define NO_FLUSH_AT_ENTRY 14
#define NO_INTERRUPTS 15
#define NO_LIMBO 16
#define NO_STOP 17
#define OLD_SNAPSHOT_PINS 18
#define PAGE_FLUSHES_LAZILY 19
#define PAGE_WITHOUT_FLUSH 20
#define PARKED_DOES_NOT_FLUSH 21
#define PARK_ENDS_WITHOUT_FLUSH 22
#define PARK_FLUSHES_TOO_EARLY 23
#define READ_IS_NOT_NOTED 24
#define RELEASED_IN_USE 25
#define RELEASE_FREES_ALL 26
#define SNAPSHOT_KEEPS_WRITTEN 27
#define TABLE_WITHOUT_CAS 28
#define VIEW_WITHOUT_FLUSH 29
#define WAITING_IS_FORGOTTEN 30
#define WAITS_FOR_THE_HOST 31
#define WAITS_WITHOUT_FLUSHING 32
#define WALKS_OUTSIDE 33
#define WRITE_IS_NOT_NOTED 34
#define WRITTEN_IS_NOT_OWN 35
#define WRITTEN_IS_SHARED 36
#define W_BEFORE_FLUSH 37

#ifndef FAULT
#define FAULT NONE
#endif
