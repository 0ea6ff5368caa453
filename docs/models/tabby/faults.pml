/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults that can be put into the protocol, one at a time: -DFAULT=NAME. Where a name is used is
 * seen what is wrong then; lab/protocol/tabby_faults.py says in which size each is looked for, and
 * what it must violate. Without FAULT the protocol is as it should be.
 */
#define NONE 0
#define CLEAN_BEHIND_UNPIN 1
#define CONTENT_BY_ADDRESS 2
#define ENTRY_BEFORE_CONTENT 3
#define ENTRY_IS_NOT_LOCKED 4
#define ENTRY_UNLOCKED_TOO_EARLY 5
#define FAILED_READ_KEEPS_NAME 6
#define FAILED_READ_LEAKS 7
#define FAILED_WRITE_IS_CLEAN 8
#define FREE_FRAME_NAMES 9
#define HEADER_BEFORE_CONTENT 10
#define IMAGE_IS_UNLOCKED 11
#define LOADED_WITHOUT_LOOKING 12
#define NO_LOCAL_FLUSH 13
#define PINNED_BY_STORE 14
#define PUBLISHED_UNLOCKED 15
#define READ_BESIDE_A_WRITER 16
#define VALIDATED_WITHOUT_FRAME 17
#define VERSION_FROM_DISK 18
#define VERSION_IS_NOT_RAISED 19
#define VERSION_WRAPS 20
#define VICTIM_IS_NOT_LOOKED_AT_AGAIN 21
#define WRITTEN_WITHOUT_PIN 22

#ifndef FAULT
#define FAULT NONE
#endif
