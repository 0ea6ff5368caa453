/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trap frame: every general register of the interrupted code, as handlers see and change it.
 *
 * Register names are those of the classic dune.h, so that handlers written for it compile. What
 * a handler stores is what the interrupted code gets back. FPU and vector registers are saved
 * beside the frame and restored; handlers may use them freely.
 */
#ifndef DBOS_TRAP_H
#define DBOS_TRAP_H

#include <stddef.h>
#include <stdint.h>

struct dbos_tf {
	uint64_t rdi, rsi, rdx, rcx, r8, r9, r10, r11;
	uint64_t rbx, rbp, r12, r13, r14, r15;
	uint64_t rax;		/* of a system call: its number, then its result */
	uint64_t num;		/* vector, or DBOS_TRAP_SYSCALL */
	uint64_t err;		/* the exception's error code, 0 where it has none */
	/* what IRETQ takes */
	uint64_t rip, cs, rflags, rsp, ss;
};

#define DBOS_TRAP_SYSCALL 256

/*
 * For a handler: where the vector registers of the interrupted code are saved, in the form of XSAVE
 * (FXSAVE, where the CPU has no other), *size bytes. What is there is what that code gets back.
 */
void *dbos_tf_vectors(const struct dbos_tf *tf, size_t *size);

/*
 * Error code of a page fault (SDM 3A 4.7). HOST is ours: the guest's own table allows the access,
 * the host does not, as nothing is mapped there or not with that right.
 */
#define DBOS_FEC_PRESENT (1u << 0)
#define DBOS_FEC_WRITE	 (1u << 1)
#define DBOS_FEC_USER	 (1u << 2)
#define DBOS_FEC_FETCH	 (1u << 4)
#define DBOS_FEC_HOST	 (1u << 14)	/* of the 15 that can be injected, unused by processors */

#endif /* DBOS_TRAP_H */
