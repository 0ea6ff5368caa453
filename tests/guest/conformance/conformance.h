/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conformance of the hypervisor: small machines made straight from /dev/dune, without libdbos, each
 * with a few instructions of guest code and what must come of them.
 *
 *	GUEST(code, "mov $1, %eax; hlt");
 *
 *	CASE(exit_hlt)
 *	{
 *		struct machine machine;
 *
 *		machine_create(&machine);
 *		load(&machine, code);
 *		expect_exit(&machine, DUNE_EXIT_HLT);
 *		check(machine.run->regs.rax == 1, "RAX is %llx", machine.run->regs.rax);
 *	}
 *
 * A case runs in a process of its own, with a time limit; main.c prints one line for it: its name
 * and "ok", "skipped: ..." or what was wrong. The lab's suite finds the names by the macros that
 * end in CASE, at the beginning of a line.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "uapi/dune.h"

#define STATUS_SKIPPED 77

struct conformance_case {
	const char *name;
	void (*run)(void);
};

#define CASE(id)                                                                               \
	static void id(void);                                                                  \
	static const struct conformance_case id##_case                                         \
		__attribute__((used, section("cases"), aligned(8))) = { #id, id };             \
	static void id(void)

/* Ends the case: what it is about does not exist here. */
#define skip(...)                                                                              \
	do {                                                                                   \
		fprintf(stderr, __VA_ARGS__);                                                  \
		exit(STATUS_SKIPPED);                                                          \
	} while (0)

/* Guest code, position-independent: runs at GUEST_CODE. */
#define GUEST(id, code)                                                                        \
	extern const char id[], id##_end[];                                                    \
	__asm__(".pushsection .rodata\n" #id ":\n\t" code "\n" #id "_end:\n\t.popsection\n")

/*
 * The machine: MEMORY_SIZE of guest-physical memory from 0 up, mapped one to one by 4 KiB pages for
 * every privilege level. Page 0 is not mapped.
 */
#define MEMORY_SIZE  0x200000ul
#define GUEST_PAGE   4096ul
#define GUEST_PML4   0x1000ul
#define GUEST_PDPT   0x2000ul
#define GUEST_PD     0x3000ul
#define GUEST_PT     0x4000ul
#define GUEST_GDT    0x5000ul
#define GUEST_TSS    0x5800ul
#define GUEST_IDT    0x6000ul
#define GUEST_STUBS  0x7000ul	/* 256 of 16 bytes, then what they share */
#define GUEST_DATA   0x9000ul	/* for guest code to read and write: seven pages */
#define GUEST_CODE   0x10000ul
#define GUEST_CODE_SIZE 0x8000ul
#define GUEST_STACK  0x20000ul	/* grows down from here, as all of these: 16 KiB each */
#define GUEST_RSP0   0x24000ul
#define GUEST_IST1   0x28000ul
#define GUEST_USER   0x2c000ul
#define GUEST_SPARE  0x100000ul	/* pages nobody touches, for page-table cases */

#define SELECTOR_CODE	   0x08
#define SELECTOR_DATA	   0x10
#define SELECTOR_USER_DATA 0x1b
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_TSS	   0x28
#define SELECTOR_ABSENT	   0x38	/* a data segment that is not present */

#define PTE_P  1ull
#define PTE_W  2ull
#define PTE_U  4ull
#define PTE_NX (1ull << 63)

#define CR4_OSXSAVE (1ull << 18)

#define RFLAGS_FIXED 2ull
#define RFLAGS_TF    (1ull << 8)
#define RFLAGS_IF    (1ull << 9)

enum vector {
	DE = 0, DB = 1, BP = 3, OF = 4, UD = 6, NM = 7, DF = 8, TS = 10, NP = 11, SS = 12,
	GP = 13, PF = 14, MF = 16, AC = 17, MC = 18, XM = 19,
};

/* What a stub has on the stack when it tells the process of a trap by OUT to PORT_TRAP. */
#define PORT_TRAP 0xf0
struct trap {
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct machine {
	int vm, vcpu;
	struct dune_run *run;
	unsigned char *memory;
};

/* With one vCPU, in 64-bit mode at CPL 0, at GUEST_CODE, interrupts off. */
void machine_create(struct machine *machine);
/* A second vCPU of @machine, over the same memory and with the same tables. */
void machine_add_vcpu(const struct machine *machine, struct machine *sibling);
void machine_load(struct machine *machine, const char *code, const char *end);
#define load(machine, id) machine_load(machine, id, id##_end)
/* Runs until the process has to do something; only DUNE_EXIT_INTERRUPTED is not returned. */
enum dune_exit machine_run(struct machine *machine);
void expect_exit(struct machine *machine, enum dune_exit reason);
/* Runs up to the next trap. Changing what is returned changes where the guest goes on. */
struct trap *expect_trap(struct machine *machine, unsigned int vector, uint64_t error_code);
/* A vCPU's own state, edited. */
void machine_get_state(const struct machine *machine, struct dune_state *state);
void machine_set_state(const struct machine *machine, const struct dune_state *state);
enum dune_vendor machine_vendor(const struct machine *machine);
/* Vector -> guest code instead of the stub, and -> the stub on another stack. */
void machine_set_gate(struct machine *machine, unsigned int vector, uint64_t handler);
void machine_set_ist(struct machine *machine, unsigned int vector, unsigned int ist);
void machine_clear_gate(struct machine *machine, unsigned int vector);
uint64_t *machine_pte(struct machine *machine, uint64_t address);
/* Empties the second-level table: every access faults once more, none loses its contents. */
void machine_forget(struct machine *machine);
void machine_raise(const struct machine *machine, unsigned long vector);
const char *exit_name(enum dune_exit reason);

static inline uint64_t *guest_u64(const struct machine *machine, uint64_t address)
{
	return (uint64_t *)(machine->memory + address);
}

/* One instruction must trap: CODE is what comes before it. */
#define TRAP_CASE(id, code, instruction, vector, error_code)                                   \
	GUEST(id##_code, code "\n" #id "_at:\n\t" instruction "\n\thlt");                      \
	extern const char id##_at[];                                                           \
	CASE(id)                                                                               \
	{                                                                                      \
		expect_one_trap(id##_code, id##_code_end, id##_at, vector, error_code);        \
	}
void expect_one_trap(const char *code, const char *end, const char *at, unsigned int vector,
		     uint64_t error_code);

/* Faults of QEMU's TCG (7.2), and those of them that a case can't live with. */
bool is_tcg(void);
void skip_on_tcg(const char *reason);

/* Time as cases measure it: nanoseconds since some start. */
uint64_t now_ns(void);
#define MS 1000000ul
/* So many milliseconds, or more on a kernel that is slower than others (--slower): nanoseconds. */
uint64_t limit(uint64_t ms);

#endif /* CONFORMANCE_H */
