/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults that can be put into the protocol, one at a time: -DFAULT=NAME. Where a name is used is
 * seen what is wrong then; lab/protocol/tabby_faults.py says in which size each is looked for, and
 * what it must violate. Without FAULT the protocol is as it should be.
 */
#define NONE 0
#define CLEAN_BEHIND_UNPIN 1
#define CONTENT_BY_ADDRESS 2
#define ENTERED_BLINDLY 3
#define ENTRY_IS_NOT_LOCKED 4
#define FAILED_READ_KEEPS_NAME 5
#define FAILED_READ_LEAKS 6
#define FAILED_WRITE_IS_CLEAN 7
#define FREE_FRAME_NAMES 8
#define IMAGE_IS_UNLOCKED 9
#define NAME_BEFORE_WORD 10
#define NAME_IS_NOT_ASKED 11
#define PINNED_BY_STORE 12
#define PUBLISHED_BEFORE_CONTENT 13
#define PUBLISHED_UNLOCKED 14
#define READ_BESIDE_A_WRITER 15
#define SHARED_DOES_NOT_COUNT 16
#define VALIDATED_WITHOUT_FRAME 17
#define VERSION_FROM_DISK 18
#define VERSION_IS_NOT_RAISED 19
#define VERSION_WRAPS 20
#define VICTIM_IS_NOT_LOOKED_AT_AGAIN 21
#define WRITTEN_WITHOUT_PIN 22

#ifndef FAULT
#define FAULT NONE
#endif
