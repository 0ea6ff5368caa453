/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers that assembly and C share. cpu/vcpu.c asserts every one of them against the structures.
 */
#ifndef DBOS_OFFSETS_H
#define DBOS_OFFSETS_H

/* struct vcpu */
#define VCPU_SELF	   0
#define VCPU_HOOK_STATE	   8
#define VCPU_XSAVE_SIZE	   12
#define VCPU_TRAP_STACK_LO 16
#define VCPU_TRAP_STACK_HI 24
#define VCPU_HOST_STACK	   32
#define VCPU_SCRATCH_RSP   40
#define VCPU_REGS	   48
#define VCPU_FLUSH_WORD	   56
#define VCPU_FLUSH_VALUE   64
#define VCPU_RESUME	   72
#define VCPU_IN_RING3	   112
#define VCPU_IST_TOP	   120
#define VCPU_RING3_STACK   128
#define VCPU_RING3_FRAME   136
#define VCPU_RING3_CR3	   144

/* struct dune_regs */
#define REGS_RAX    0
#define REGS_RBX    8
#define REGS_RCX    16
#define REGS_RDX    24
#define REGS_RSI    32
#define REGS_RDI    40
#define REGS_RSP    48
#define REGS_RBP    56
#define REGS_R8	    64
#define REGS_R9	    72
#define REGS_R10    80
#define REGS_R11    88
#define REGS_R12    96
#define REGS_R13    104
#define REGS_R14    112
#define REGS_R15    120
#define REGS_RIP    128
#define REGS_RFLAGS 136

/* struct dbos_tf, and the number SYSCALL has there */
#define DBOS_TRAP_SYSCALL_NR 256
#define TF_NUM	  120
#define TF_RIP	  136
#define TF_CS	  144
#define TF_RFLAGS 152
#define TF_RSP	  160
#define TF_SIZE	  176

/* Bytes between two entries of dbos_trap_stubs. */
#define DBOS_TRAP_STUB_SIZE 16

/* An IST stack is one page, and the vCPU's address stands at its bottom. */
#define IST_STACK_SIZE 4096

/* This far before the RIP behind a handler's OUT begins what makes its call again. */
#define SYSCALL_AGAIN 3

/* Result of a call that a signal has interrupted before it did anything: to be begun again. */
#define SIGNAL_RESTART 513

/* A child that shares our memory finds where it begins below this much of its stack. */
#define CHILD_RED_ZONE 128

/* Segment selectors of the guest's GDT. */
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18	/* two entries long */
#define SELECTOR_NUMBER 0x28	/* never loaded: its limit is the vCPU's number */
#define SELECTOR_USER_DATA 0x33
#define SELECTOR_USER_CODE 0x3b

/* OUT to one of these is how the guest calls the process's run loop. */
#define PORT_SYSCALL   0xd0	/* registers as at SYSCALL; from a handler RBX: struct dbos_tf */
#define PORT_LEAVE     0xd1
#define PORT_UNHANDLED 0xd2	/* RDI: struct dbos_tf; RSI: a signal may come of it */
#define PORT_COUNTERS  0xd3	/* RDI: struct hv_counters to fill */
#define PORT_DOORBELL  0xd4	/* RDI: the number of the vCPU to interrupt */
#define PORT_EXIT      0xd5	/* the end of the thread; RDI: its status */
#define PORT_SIGNAL_MASK 0xd6	/* RDI: the program's new mask */
#define PORT_NO_STACK  0xd7	/* for a trap; RDI: struct dbos_tf; RSI: its address */
#define PORT_COVER     0xdf	/* RDI: struct cover_request, to be answered */

#endif /* DBOS_OFFSETS_H */
