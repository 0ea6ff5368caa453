/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions for ring 3, in pages of their own. RDI: a page that was not granted; RSI: one to read
 * and write; RDX: one to read; RCX: where libdbos has its entry code; R8, R9: free.
 */
	.section hostile, "ax", @progbits
	.balign	4096
	.globl	hostile_begin
hostile_begin:

.macro CODE name
	.balign	16
	.globl	ring3_\name
ring3_\name:
.endm

.macro ONE name, text:vararg
CODE \name
	\text
	ud2
.endm

/* The flags of @mask in RFLAGS. */
.macro SET_FLAGS mask
	pushfq
	orq	$\mask, (%rsp)
	popfq
.endm

CODE returns
	lea	1(%r8), %rax
	ret
CODE loop
	jmp	ring3_loop
ONE read_secret, mov (%rdi), %rax
ONE write_secret, mov %rax, (%rdi)
ONE write_null, mov %rax, 0
ONE write_readonly, mov %rax, (%rdx)
ONE run_data, jmp *%rsi
ONE run_entry, jmp *%rcx
CODE read_idt
	sidt	-16(%rsp)
	mov	-14(%rsp), %rax
	mov	(%rax), %rax
	ud2
CODE read_vcpu
	sgdt	-16(%rsp)
	mov	-14(%rsp), %rax
	mov	(%rax), %rax
	ud2
CODE write_vcpu
	sgdt	-16(%rsp)
	mov	-14(%rsp), %rax
	mov	%rax, (%rax)
	ud2
CODE overflow
	push	%rax
	call	ring3_overflow
ONE undefined, ud2
ONE cli, cli
ONE sti, sti
ONE hlt, hlt
ONE read_cr3, mov %cr3, %rax
ONE write_cr3, mov %rax, %cr3
ONE write_cr0, mov %rax, %cr0
ONE write_cr4, mov %rax, %cr4
ONE clts, clts
ONE read_dr7, mov %dr7, %rax
ONE write_dr7, mov %rax, %dr7
ONE invlpg, invlpg (%rsi)
ONE wbinvd, wbinvd
ONE rdmsr, rdmsr
ONE wrmsr, wrmsr
ONE lgdt, lgdt (%rsi)
ONE lidt, lidt (%rsi)
ONE lldt, lldt %ax
ONE ltr, ltr %ax
ONE swapgs, swapgs
ONE sysret, sysretq
ONE xsetbv, xsetbv
ONE in_byte, in $0xd0, %al
ONE call_syscall, out %eax, $0xd0
ONE call_leave, out %eax, $0xd1
ONE call_unhandled, out %eax, $0xd2
ONE call_exit, out %eax, $0xd5
CODE out_string
	mov	$0xd0, %edx
	outsl
	ud2
CODE out_with_iopl
	SET_FLAGS 0x3000
	mov	$0xd1, %edx
	out	%eax, %dx
	ud2
ONE int3, int3
ONE int_80, int $0x80
ONE int_doorbell, int $255
ONE int_page_fault, int $14
CODE stack_of_ring0
	mov	$0x10, %eax
	mov	%eax, %ss
	ud2
CODE data_of_ring0
	mov	$0x10, %eax
	mov	%eax, %ds
	ud2
CODE iret_to_ring0
	mov	%rsp, %rax
	push	$0x10
	push	%rax
	push	$2
	push	$0x08
	push	%rcx
	iretq
	ud2
CODE iret_with_nt
	SET_FLAGS 0x4000
	iretq
	ud2
CODE far_return_to_ring0
	push	$0x08
	push	%rcx
	lretq
	ud2
CODE jump_nowhere
	mov	$0x8000000000000000, %rax
	jmp	*%rax
	ud2
CODE stack_nowhere
	mov	$0x8000000000000000, %rsp
	push	%rax
	ud2
CODE step
	SET_FLAGS 0x100
	nop
	ud2
CODE divide
	xor	%ecx, %ecx
	div	%ecx
	ud2

/* IF, IOPL, TF, NT, AC and DF as they should not be, RSP nowhere, and no end. */
CODE loop_with_flags
	pushfq
	andq	$~0x200, (%rsp)
	orq	$0x47400, (%rsp)
	popfq
	mov	$0x8000000000000000, %rsp
	jmp	ring3_loop

/* What stays behind in the processor: flags, bases, selectors, x87, MXCSR, and no stack. */
CODE leave_things
	mov	$0x33, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	wrfsbase %rsi
	wrgsbase %rsi
	movl	$0x7f80, -64(%rsp)
	ldmxcsr	-64(%rsp)
	.rept	8
	fldpi
	.endr
	movl	$0x0c40, -64(%rsp)
	fldcw	-64(%rsp)
	pcmpeqd	%xmm15, %xmm15
	pcmpeqd	%xmm6, %xmm6
	SET_FLAGS 0x44400
	mov	$231, %eax			/* exit_group */
	mov	$1, %edi
	mov	$0x8000000000000000, %rsp
	syscall
	jmp	ring3_loop

/* What it finds in the processor: every vector register, into the page at RSI. */
CODE find_things
	.irp	name, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	movdqu	%xmm\name, 16 * \name(%rsi)
	.endr
	stmxcsr	256(%rsi)
	fnstenv	264(%rsi)
	mov	%ds, 296(%rsi)
	mov	%es, 298(%rsi)
	mov	%fs, 300(%rsi)
	mov	%gs, 302(%rsi)
	rdfsbase %rax
	mov	%rax, 304(%rsi)
	rdgsbase %rax
	mov	%rax, 312(%rsi)
	mov	%rbx, 320(%rsi)
	mov	%rbp, 328(%rsi)
	mov	%r10, 336(%rsi)
	mov	%r11, 344(%rsi)
	mov	%r12, 352(%rsi)
	mov	%r13, 360(%rsi)
	mov	%r14, 368(%rsi)
	mov	%r15, 376(%rsi)
	ret

/*
 * Registers full of known values, R8 rounds of a loop that a timer interrupts, and a look at them.
 * Returns 0, or what was wrong.
 */
CODE keep_things
	mov	$0x33, %eax
	mov	%eax, %gs
	wrfsbase %rsi
	wrgsbase %rdx
	.irp	name, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	mov	$(0x1111 * \name + 1), %eax
	movq	%rax, %xmm\name
	pshufd	$0x44, %xmm\name, %xmm\name
	.endr
	fldpi
	fld1
	.set	distance, 0x100
	.irp	name, rbx,rbp,rdi,r9,r10,r12,r13,r14,r15
	lea	distance(%rsp), %\name
	.set	distance, distance + 8
	.endr
	mov	$39, %eax			/* getpid: answered by ring 0 with 4711 */
	syscall
	cmp	$4711, %rax
	mov	$1, %eax
	jne	9f
1:	dec	%r8
	jnz	1b
	mov	$2, %eax
	.set	distance, 0x100
	.irp	name, rbx,rbp,rdi,r9,r10,r12,r13,r14,r15
	inc	%eax
	lea	distance(%rsp), %rcx
	cmp	%\name, %rcx
	jne	9f
	.set	distance, distance + 8
	.endr
	.irp	name, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	inc	%eax
	movq	%xmm\name, %rcx
	cmp	$(0x1111 * \name + 1), %rcx
	jne	9f
	psrldq	$8, %xmm\name
	movq	%xmm\name, %rcx
	cmp	$(0x1111 * \name + 1), %rcx
	jne	9f
	.endr
	mov	$100, %eax
	fucompp
	fnstsw	%ax
	test	$0x40, %ah			/* C3: 1 and pi are equal */
	mov	$100, %eax
	jnz	9f
	inc	%eax
	rdfsbase %rcx
	cmp	%rcx, %rsi
	jne	9f
	inc	%eax
	rdgsbase %rcx
	cmp	%rcx, %rdx
	jne	9f
	inc	%eax
	mov	%gs, %ecx
	cmp	$0x33, %ecx
	jne	9f
	xor	%eax, %eax
9:	ret

/* A gate clears TF, NT, RF and VM, not AC (SDM 3A 6.12.1.3). */
CODE leave_ac
	SET_FLAGS 0x40000
	ud2

/* Counts in the page at RSI, until it is taken away. */
CODE count
	lock incq (%rsi)
	jmp	ring3_count

	.balign	4096
	.globl	hostile_end
hostile_end:

	.section .note.GNU-stack, "", @progbits
