/* SPDX-License-Identifier: BSD-2-Clause */
/* All that a thread has of registers, and the red zone below its stack pointer. */
#ifndef STORM_LEAF_H
#define STORM_LEAF_H

/* Offsets, for leaf.S: of struct leaf. */
#define LEAF_FLAGS    120
#define LEAF_RED_ZONE 128
#define LEAF_XSAVE    256

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

enum { RAX, RBX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, REGISTERS };

struct leaf {
	uint64_t gpr[REGISTERS];	/* but RSP, and RCX, which counts; R15 points to the page */
	uint64_t unused;
	uint64_t flags;
	uint64_t red_zone[16];
	unsigned char xsave[8192] __attribute__((aligned(64)));
};

_Static_assert(offsetof(struct leaf, flags) == LEAF_FLAGS, "leaf.S");
_Static_assert(offsetof(struct leaf, red_zone) == LEAF_RED_ZONE, "leaf.S");
_Static_assert(offsetof(struct leaf, xsave) == LEAF_XSAVE, "leaf.S");

/*
 * Loads all that @in says, writes a byte to where R15 points @rounds times without touching any of
 * it, and leaves in @out what is there then. No system call, no function of its own.
 */
void leaf(const struct leaf *in, struct leaf *out, uint64_t rounds);

#endif /* __ASSEMBLER__ */
#endif /* STORM_LEAF_H */
