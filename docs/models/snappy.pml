/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol of Snappy's engine `lazy`, for the verifier of spin(1). README.md says what the
 * model is and is not; lab/protocol runs it, with macros of lab/protocol/snappy.py.
 */
#include "snappy/faults.pml"

#define FREE 0
#define MAPPED 1
#define HELD 2
#define USED_BY_HOST 3

#define OUTSIDE 0
#define ENTERING 1
#define INSIDE 2
#define PARKED 3

/* What a vCPU is at: a store or a call to a page, a cut, or the release of a snapshot. */
#define NOTHING 0
#define STORE 1
#define READING_CALL 2
#define WRITING_CALL 3
#define CUT 4
#define RELEASE(s) (4 + (s))

byte cuts_left = CUTS;
byte stores_of_host = STORES_OF_HOST;
byte gone;				/* vCPUs that have left */

#include "snappy/machine.pml"
#include "snappy/tlb.pml"
#include "snappy/frames.pml"
#include "snappy/oracle.pml"
#include "snappy/world.pml"
#include "snappy/write.pml"
#include "snappy/snapshot.pml"
#include "snappy/calls.pml"
#include "snappy/for_ever.pml"
#include "snappy/vcpu.pml"
