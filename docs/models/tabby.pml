/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol of the buffer pool Tabby, for the verifier of spin(1). README.md says what the
 * model is and is not; lab/protocol runs it, with macros of lab/protocol/tabby.py.
 */
#include "tabby/faults.pml"

/* What a CPU is at. */
#define NOTHING 0
#define READ 1
#define WRITE 2
#define SHARE 3

byte errors_left = ERRORS;		/* reads and writes of the disk that will fail */

#include "tabby/machine.pml"
#include "tabby/header.pml"
#include "tabby/oracle.pml"
#include "tabby/disk.pml"
#include "tabby/frames.pml"
#include "tabby/load.pml"
#include "tabby/pin.pml"
#include "tabby/cpu.pml"
