/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries into the guest kernel: 256 vectors and SYSCALL. Both build a struct dbos_tf on the trap
 * stack and call dbos_trap_dispatch() with every other register of the interrupted code safe.
 */
#include "cpu/frame.h"
#include "cpu/offsets.h"

/* Whole pages: ring 3's page table has them too, as ring 0's (cpu/ring3.S). */
	.section dbos_entry, "ax", @progbits
	.balign	4096

/* Exceptions 8, 10-14, 17, 21, 29 and 30 push an error code (SDM 3A 6.13); we add the others'. */
	.balign	16
	.globl	dbos_trap_stubs
dbos_trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	DBOS_TRAP_STUB_SIZE
	.if	vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
		vector == 29 || vector == 30
	.else
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

/*
 * On the IST stack, interrupts off. Moves the frame to the trap stack: to its top, or, when the
 * interrupted code was itself a handler, below that code's red zone. The trap stack is mapped by
 * the guest's own table from the start, so the copy traps only if the program has spoiled that
 * table. Such a trap would do the same again, for ever, and has put its frame over the first: of
 * which only RIP and RSP are known then, by R14 and R15.
 */
trap_common:
	PUSH_REGISTERS
	cld
	mov	%rsp, %rsi
	mov	%rsp, %rbx
	and	$-IST_STACK_SIZE, %rbx
	mov	(%rbx), %rbx			/* struct vcpu */
	testb	$3, TF_CS(%rsi)
	jnz	dbos_ring3_trap
	lea	copy_frame(%rip), %rax
	cmp	%rax, TF_RIP(%rsi)
	je	no_trap_stack
	mov	TF_RIP(%rsi), %r14
	mov	TF_RSP(%rsi), %r15
	mov	%r15, %rdi
	cmp	VCPU_TRAP_STACK_LO(%rbx), %rdi
	jb	1f
	cmp	VCPU_TRAP_STACK_HI(%rbx), %rdi
	ja	1f
	sub	$128, %rdi
	jmp	2f
1:	mov	VCPU_TRAP_STACK_HI(%rbx), %rdi
2:	sub	$TF_SIZE, %rdi
	and	$-16, %rdi
	mov	%rdi, %rax
	mov	$(TF_SIZE / 8), %ecx
copy_frame:
	rep movsq
	mov	%rax, %rsp

/* RSP: struct dbos_tf on the trap stack; RBX: struct vcpu. */
dispatch:
	mov	%rsp, %rbp
	mov	VCPU_XSAVE_SIZE(%rbx), %eax
	test	%eax, %eax
	jz	3f
	sub	%rax, %rsp
	and	$-64, %rsp
	/* XSAVE writes only part of the header, XRSTOR wants the rest zero (SDM 1 13.4.2). */
	xor	%eax, %eax
	lea	512(%rsp), %rdi
	mov	$8, %ecx
	rep stosq
	or	$-1, %eax
	or	$-1, %edx
	xsave64	(%rsp)
	mov	%rbp, %rdi
	mov	%rbx, %rsi
	mov	%rsp, %rdx
	call	dbos_trap_dispatch
	or	$-1, %eax
	or	$-1, %edx
	xrstor64 (%rsp)
	jmp	4f
3:	sub	$512, %rsp
	fxsave64 (%rsp)
	mov	%rbp, %rdi
	mov	%rbx, %rsi
	mov	%rsp, %rdx
	call	dbos_trap_dispatch
	fxrstor64 (%rsp)
4:	mov	%rbp, %rsp
	mov	%cs, %eax
	test	$3, %al
	jnz	return_in_user_space
	POP_REGISTERS
	add	$16, %rsp			/* num, err */
	iretq

/* Ends the process. */
no_trap_stack:
	mov	%r14, TF_RIP(%rsi)
	mov	%r15, TF_RSP(%rsi)
	mov	%rsi, %rdi
	mov	%cr2, %rsi
	out	%eax, $PORT_NO_STACK
	ud2

/*
 * The child of a fork that a handler made: it is outside, where the frame's selectors mean
 * nothing. Its return address goes to the interrupted stack, below the red zone.
 */
return_in_user_space:
	mov	TF_RSP(%rsp), %rax
	sub	$(128 + 8), %rax
	mov	%rax, TF_RSP(%rsp)
	mov	TF_RIP(%rsp), %rcx
	mov	%rcx, (%rax)
	POP_REGISTERS
	add	$(TF_RFLAGS - TF_NUM), %rsp
	popf
	pop	%rsp
	ret	$128

/*
 * SYSCALL: RCX is the return address, R11 the flags, interrupts are off (SFMASK). Without
 * handlers it is a hypercall and a jump; SYSRET would go to CPL 3. The flags go back through the
 * stack, below the red zone.
 */
	.balign	64
	.globl	dbos_syscall_entry
	.globl	dbos_syscall_return
	.globl	dbos_syscall_flags_back
	.globl	dbos_syscall_jump
dbos_syscall_entry:
	swapgs
	cmpl	$0, %gs:VCPU_IN_RING3
	jne	dbos_ring3_syscall
	cmpl	$1, %gs:VCPU_HOOK_STATE
	je	hooked
	swapgs
	out	%eax, $PORT_SYSCALL
dbos_syscall_return:
	lea	-128(%rsp), %rsp
	push	%r11
	popf
dbos_syscall_flags_back:
	lea	128(%rsp), %rsp
dbos_syscall_jump:
	jmp	*%rcx

/* Registers are as at SYSCALL: the call becomes a trap after all. */
	.globl	dbos_syscall_trap
dbos_syscall_trap:
	swapgs
hooked:
	mov	%rsp, %gs:VCPU_SCRATCH_RSP
	cmp	%gs:VCPU_TRAP_STACK_LO, %rsp
	jb	1f
	cmp	%gs:VCPU_TRAP_STACK_HI, %rsp
	ja	1f
	sub	$128, %rsp
	jmp	2f
1:	mov	%gs:VCPU_TRAP_STACK_HI, %rsp
2:	and	$-16, %rsp
	push	$SELECTOR_DATA
	push	%gs:VCPU_SCRATCH_RSP
	push	%r11
	push	$SELECTOR_CODE
	push	%rcx
	push	$0
	push	$DBOS_TRAP_SYSCALL_NR
	PUSH_REGISTERS
	cld
	mov	%gs:VCPU_SELF, %rbx
	swapgs
	jmp	dispatch

/*
 * Where a vCPU goes on that is to flush before anything else: machine_flush_at_entry(). Interrupts
 * are off. Every register is somebody's but RSP, which IRETQ loads; so it has to do for all that
 * follows, and a PUSH stores what tells others that this vCPU has flushed.
 * Up to the flush nothing is touched but this code, and tables that lead to it never go, so that
 * what the processor remembers of them is true (mm/collapse.c).
 */
	.balign	16
	.globl	dbos_flush_at_entry
dbos_flush_at_entry:
	swapgs
	mov	%cr3, %rsp
	mov	%rsp, %cr3
	mov	%gs:VCPU_FLUSH_WORD, %rsp
	lea	8(%rsp), %rsp
	push	%gs:VCPU_FLUSH_VALUE
	mov	%gs:VCPU_SELF, %rsp
	lea	VCPU_RESUME(%rsp), %rsp
	swapgs
	iretq

	.balign	4096

	.section .note.GNU-stack, "", @progbits
