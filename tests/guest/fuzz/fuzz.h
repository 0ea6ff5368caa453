/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fuzzer: programs of ioctls and guest code, drawn from a seed and thrown at the hypervisor.
 *
 *	main.c		a process for each program, with a time limit; the counts at the end
 *	program.c	one program: guest code in chunks, requests between them and beside them
 *	ground.c	its memory: what guests may write to, and what must stay as it is
 *	code.c		guest code out of instructions.c and of random bytes
 *	requests.c	ioctls, mostly right and slightly wrong
 *	rules.c		what must be refused
 *	draw.c		random choices
 *
 * All that a program does follows from (SEED, INDEX), but for how its threads meet. It fails if it
 * does not end, if an answer is wrong where the interface says what it must be, or if memory has
 * changed that no guest may write to. What the kernel thinks of it is for the lab to judge.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdatomic.h>

#include "conformance/conformance.h"

struct draw {
	uint64_t state;
};

/* draw.c */
struct draw draw_from(uint64_t seed, uint64_t index, uint64_t thread);
uint64_t draw64(struct draw *draw);
uint64_t below(struct draw *draw, uint64_t limit);
static inline bool one_in(struct draw *draw, uint64_t n)
{
	return below(draw, n) == 0;
}
/* Where mistakes are: ends of ranges, canonical or not, the kernel's half, one beside them. */
uint64_t draw_edge(struct draw *draw);
/* Something in the guest's memory, its tables more often than the rest. */
uint64_t draw_guest_address(struct draw *draw);

/* ground.c: where a program stands */
#define GROUND_HOLE_SIZE (64ul << 20)	/* room that slots may show and nothing is mapped in */
#define GROUND_EXTRA	 MEMORY_SIZE	/* guest-physical: pages that no guest can write to */
#define GROUND_SPARE_SIZE (MEMORY_SIZE - GUEST_SPARE)

struct ground {
	unsigned char *canary;		/* a page right below memory, one right above it */
	unsigned char *memory;		/* slot 0 */
	unsigned char *read_only;	/* a page the process itself may only read; slot 1 */
	unsigned char *shown;		/* a page in a slot that is read-only; slot 2 */
	unsigned char *private;		/* a private page of a file; slot 3 */
	unsigned char *hole;
	int file;
	uint64_t pattern;
};

void ground_create(struct ground *ground, struct machine *machine, uint64_t pattern);
void ground_show_memory(const struct ground *ground, const struct machine *machine);
void ground_check(const struct ground *ground);
/* Takes or changes pages that the guest sees and this process does not need. */
void ground_disturb(const struct ground *ground, struct draw *draw);

/* code.c */
#define CHUNK_SIZE 128ul
#define CHUNKS	   16u
void code_generate(struct machine *machine, struct draw *draw);

/* instructions.c */
enum operands {
	PLAIN,		/* nothing more */
	REGISTERS,	/* ModRM, two registers */
	MEMORY,		/* ModRM, the reg field as in .reg, an address */
	ANY_MODRM,	/* any ModRM, with what it asks for */
	BYTE,		/* an immediate byte */
	LONG,		/* an immediate of four */
	MSR,		/* behind MOV ECX, EAX and EDX */
	ENTRY,		/* behind MOV RAX: a page-table entry, to store to a table */
	TO_USER,	/* behind the frame on the stack that leads to CPL 3 */
};
struct instruction {
	const char *bytes;
	uint8_t length, weight, operands, reg;
	bool not_on_tcg;
};
extern const struct instruction instructions[];
extern const unsigned int instruction_count;

#define HARDWARE_EXITS 0x500u

/* What has happened, over all programs: shared by their processes. */
struct tally {
	atomic_ulong programs, chunks, runs, endless, requests, refused;
	atomic_ulong exits[DUNE_EXIT_UNKNOWN + 1];
	atomic_ulong vectors[32], interrupts, injected, replaced;
	/* By the CPU's own number of the reason, and what the module calls it. */
	atomic_ulong hardware[HARDWARE_EXITS];
	char names[HARDWARE_EXITS][24];
};
extern struct tally *tally;

/* rules.c */
#define RULES_MAX_SLOTS 32
/* Any error a process may get from this module at all. */
bool rules_know(int error);
/* Each of these must be EINVAL. */
bool rules_refuse_slot(const struct dune_slot *slot, uint64_t gpa_end);
bool rules_refuse_state(const struct dune_state *state);
bool rules_refuse_event(const struct dune_event *event);

/* requests.c */
struct target {
	const struct ground *ground;
	struct machine machine;
	struct draw draw;
	bool alone;	/* no other thread: so answers can be predicted */
};
void request_any(struct target *target);
void request_injection(struct target *target);
/* On TCG a guest must not have CR4.OSXSAVE: see requests.c. */
void request_tame_cr4(const struct machine *machine);

/* program.c: ends the process if something is wrong */
void program_run(uint64_t seed, uint64_t index);

#endif /* FUZZ_H */
