// SPDX-License-Identifier: BSD-2-Clause
/*
 * What guest code is made of, besides random bytes. Most of it is privileged, intercepted or
 * dangerous in some other way; the rest keeps the guest going.
 *
 * QEMU's TCG 7.2 cannot bear three of them: ICEBP stops the whole emulator, as if for a debugger
 * that is not there; a MOV to DR7 that arms a breakpoint has ended it (docs/STATUS.md); LTR takes a
 * null selector, and the next interrupt at CPL 3 makes it abort with "invalid tss". And a MOV to
 * CR3 that should be #GP for its reserved bits is an exit with SVM_EXIT_ERR there. The process sees
 * it as DUNE_EXIT_FAIL_ENTRY; that does no harm.
 */
#include "fuzz.h"

#define I(weight_, operands_, bytes_, ...) \
	{ .bytes = bytes_, .length = sizeof(bytes_) - 1, .weight = weight_, \
	  .operands = operands_, __VA_ARGS__ }

const struct instruction instructions[] = {
	/* control and debug registers, either way */
	I(3, REGISTERS, "\x0f\x20"), I(4, REGISTERS, "\x0f\x22"), I(1, REGISTERS, "\x44\x0f\x20"),
	I(1, REGISTERS, "\x44\x0f\x22"), I(3, REGISTERS, "\x0f\x21"),
	I(3, REGISTERS, "\x0f\x23", .not_on_tcg = true),
	I(2, PLAIN, "\x0f\x06"),				/* CLTS */
	I(2, MEMORY, "\x0f\x01", .reg = 4), I(2, MEMORY, "\x0f\x01", .reg = 6),	/* SMSW, LMSW */
	I(4, PLAIN, "\x0f\x20\xd8\x0f\x22\xd8"),		/* CR3 to itself */
	/* MSRs and counters */
	I(6, MSR, "\x0f\x32"), I(6, MSR, "\x0f\x30"),
	I(1, PLAIN, "\x0f\x33"), I(1, PLAIN, "\x0f\x31"), I(1, PLAIN, "\x0f\x01\xf9"),
	I(1, PLAIN, "\x0f\x01\xfd"),				/* RDPRU */
	I(2, PLAIN, "\x0f\x01\xf8"),				/* SWAPGS */
	I(1, REGISTERS, "\xf3\x48\x0f\xae"),			/* RDFSBASE and its like */
	/* ports */
	I(2, BYTE, "\xe4"), I(2, BYTE, "\xe5"), I(2, BYTE, "\xe6"), I(2, BYTE, "\xe7"),
	I(1, PLAIN, "\xec"), I(1, PLAIN, "\x66\xed"), I(1, PLAIN, "\xee"), I(1, PLAIN, "\xef"),
	I(1, PLAIN, "\xf3\x6c"), I(1, PLAIN, "\x6d"), I(1, PLAIN, "\xf3\x6e"), I(1, PLAIN, "\x6f"),
	/* descriptor tables: SGDT SIDT LGDT LIDT; SLDT STR LLDT LTR VERR VERW; LAR LSL */
	I(1, MEMORY, "\x0f\x01", .reg = 0), I(1, MEMORY, "\x0f\x01", .reg = 1),
	I(3, MEMORY, "\x0f\x01", .reg = 2), I(3, MEMORY, "\x0f\x01", .reg = 3),
	I(1, REGISTERS, "\x0f\x00"), I(2, MEMORY, "\x0f\x00", .reg = 2),
	I(2, MEMORY, "\x0f\x00", .reg = 3, .not_on_tcg = true), I(1, REGISTERS, "\x0f\x02"),
	I(1, REGISTERS, "\x0f\x03"),
	I(2, REGISTERS, "\x8e"),				/* a segment register */
	I(1, MEMORY, "\x48\x0f\xb2", .reg = 4),			/* LSS */
	/* to other privilege levels and back */
	I(3, TO_USER, "\x48\xcf"), I(1, PLAIN, "\x48\xcf"), I(1, PLAIN, "\xcf"),
	I(2, PLAIN, "\x0f\x05"), I(2, PLAIN, "\x0f\x07"), I(2, PLAIN, "\x48\x0f\x07"),
	I(1, PLAIN, "\x0f\x34"), I(1, PLAIN, "\x0f\x35"),
	I(2, BYTE, "\xcd"), I(2, PLAIN, "\xcc"), I(1, PLAIN, "\xf1", .not_on_tcg = true),
	I(1, PLAIN, "\xce"), I(1, PLAIN, "\x0f\x0b"), I(1, PLAIN, "\xcb"), I(1, PLAIN, "\x48\xcb"),
	I(1, MEMORY, "\xff", .reg = 5), I(1, MEMORY, "\xff", .reg = 3),	/* far JMP and CALL */
	/* interrupts */
	I(3, PLAIN, "\xfb"), I(2, PLAIN, "\xfa"), I(2, PLAIN, "\xfb\xf4"), I(2, PLAIN, "\xf4"),
	I(2, PLAIN, "\x9c"), I(2, PLAIN, "\x9d"), I(1, PLAIN, "\xfb\x8e\xd0"), /* STI; MOV SS */
	/* caches, translations, and the tables these come from */
	I(3, MEMORY, "\x0f\x01", .reg = 7),			/* INVLPG */
	I(1, MEMORY, "\x66\x0f\x38\x82", .reg = 0),		/* INVPCID */
	I(1, PLAIN, "\x0f\x08"), I(1, PLAIN, "\x0f\x09"),	/* INVD, WBINVD */
	I(1, MEMORY, "\x0f\xae", .reg = 7),			/* CLFLUSH */
	I(8, ENTRY, "\x48\x89\x04\x25"),
	/* SVM: VMRUN to INVLPGA; CLZERO, INVLPGB, TLBSYNC */
	I(4, PLAIN, "\x0f\x01\xd8"), I(2, PLAIN, "\x0f\x01\xd9"), I(4, PLAIN, "\x0f\x01\xda"),
	I(4, PLAIN, "\x0f\x01\xdb"), I(1, PLAIN, "\x0f\x01\xdc"), I(1, PLAIN, "\x0f\x01\xdd"),
	I(1, PLAIN, "\x0f\x01\xde"), I(2, PLAIN, "\x0f\x01\xdf"), I(1, PLAIN, "\x0f\x01\xfc"),
	I(1, PLAIN, "\x0f\x01\xfe"), I(1, PLAIN, "\x0f\x01\xff"),
	/* VT-x: VMCALL to VMXOFF, VMFUNC; VMXON VMPTRLD VMCLEAR VMPTRST; VMREAD VMWRITE; INVEPT */
	I(2, PLAIN, "\x0f\x01\xc1"), I(1, PLAIN, "\x0f\x01\xc2"), I(1, PLAIN, "\x0f\x01\xc3"),
	I(1, PLAIN, "\x0f\x01\xc4"), I(1, PLAIN, "\x0f\x01\xd4"),
	I(1, MEMORY, "\xf3\x0f\xc7", .reg = 6), I(1, MEMORY, "\x0f\xc7", .reg = 6),
	I(1, MEMORY, "\x66\x0f\xc7", .reg = 6), I(1, MEMORY, "\x0f\xc7", .reg = 7),
	I(1, REGISTERS, "\x0f\x78"), I(1, REGISTERS, "\x0f\x79"),
	I(1, MEMORY, "\x66\x0f\x38\x80", .reg = 0), I(1, MEMORY, "\x66\x0f\x38\x81", .reg = 0),
	/* others that a hypervisor must have thought of */
	I(3, PLAIN, "\x0f\xa2"),				/* CPUID */
	I(1, PLAIN, "\x0f\x01\xc8"), I(1, PLAIN, "\x0f\x01\xc9"), /* MONITOR, MWAIT */
	I(1, PLAIN, "\x0f\x01\xca"), I(1, PLAIN, "\x0f\x01\xcb"), /* CLAC, STAC */
	I(1, PLAIN, "\x0f\x01\xd0"),				/* XGETBV */
	I(1, PLAIN, "\x31\xc9\x0f\x01\xd1"),			/* XSETBV, of XCR0 */
	I(1, PLAIN, "\x0f\xaa"), I(1, PLAIN, "\x0f\x37"), I(1, PLAIN, "\x0f\x01\xcf"),
	I(2, PLAIN, "\xf3\x90"),				/* PAUSE, many times */
	/* FPU and SSE: FXSAVE FXRSTOR LDMXCSR XSAVE XRSTOR; FNINIT FLDCW FWAIT; DIVPS, to #XM */
	I(1, MEMORY, "\x0f\xae", .reg = 0), I(1, MEMORY, "\x0f\xae", .reg = 1),
	I(2, MEMORY, "\x0f\xae", .reg = 2), I(1, MEMORY, "\x0f\xae", .reg = 4),
	I(1, MEMORY, "\x0f\xae", .reg = 5), I(1, PLAIN, "\xdb\xe3"), I(1, MEMORY, "\xd9", .reg = 5),
	I(1, PLAIN, "\x9b"), I(2, REGISTERS, "\x0f\x5e"),
	/* ordinary ones: DIV; memory read and written; strings; stack; jumps, also far ahead */
	I(2, REGISTERS, "\x48\xf7"), I(4, ANY_MODRM, "\x48\x8b"), I(4, ANY_MODRM, "\x48\x89"),
	I(2, ANY_MODRM, "\xf0\x48\x0f\xc1"), I(1, MEMORY, "\xf0\x48\x0f\xc7", .reg = 1),
	I(1, PLAIN, "\xf3\xaa"), I(1, PLAIN, "\xf3\xa4"), I(1, PLAIN, "\xfd"), I(1, PLAIN, "\xfc"),
	I(1, PLAIN, "\x50"), I(1, PLAIN, "\x58"), I(1, PLAIN, "\x5c"), I(1, PLAIN, "\xc3"),
	I(2, BYTE, "\xeb"), I(2, BYTE, "\x75"), I(1, LONG, "\xe9"), I(1, LONG, "\xe8"),
	I(1, PLAIN, "\xff\xe0"), I(3, PLAIN, "\x90"),
};

const unsigned int instruction_count = sizeof(instructions) / sizeof(instructions[0]);
