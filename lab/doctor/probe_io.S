# SPDX-License-Identifier: BSD-2-Clause
#
# A part of probe.S: the serial line, and what happens at an exception.

# ------------------------------------------------------------------------------ printing, MSRs

show_msrs:					# RBX: a table that ends in a zero
1:	movl	(%rbx), %r8d
	testl	%r8d, %r8d
	jz	4f
	say	"probe: msr"
	movl	%r8d, %eax
	call	put32
	movl	%r8d, %ecx
	may_fault rdmsr
	jc	2f
	shlq	$32, %rdx
	orq	%rdx, %rax
	call	put64
	call	newline
	jmp	3f
2:	say	" fault\n"
3:	addl	$4, %ebx
	jmp	1b
4:	ret

puts:						# RSI: a string that ends in a zero byte
	pushq	%rax
	pushq	%rdx
1:	lodsb
	testb	%al, %al
	jz	2f
	call	putc
	jmp	1b
2:	popq	%rdx
	popq	%rax
	ret

put64:						# a space and 16 digits of RAX
	pushq	%rax
	say	" "
	movl	$16, %ecx
	jmp	digits
put32:						# a space and 8 digits of EAX
	pushq	%rax
	say	" "
	movl	$8, %ecx
	shlq	$32, %rax
digits:
	movq	%rax, %rsi
1:	rolq	$4, %rsi
	movl	%esi, %eax
	andl	$15, %eax
	movb	hex(%rax), %al
	call	putc
	decl	%ecx
	jnz	1b
	popq	%rax
	ret

newline:
	movb	$'\n', %al
putc:						# AL; changes RDX
	pushq	%rax
	movl	$COM1 + 5, %edx
1:	inb	%dx, %al
	testb	$0x20, %al
	jz	1b
	popq	%rax
	movl	$COM1, %edx
	outb	%al, %dx
	ret

# --------------------------------------------------------------------------------- exceptions

load_idt:
	movl	$IDT, %edi
	movl	$vectors, %eax
	movl	$32, %ecx
1:	movw	%ax, (%rdi)			# the handler's address: below 64 KiB
	movw	$CODE64, 2(%rdi)
	movw	$0x8e00, 4(%rdi)		# present, interrupt gate
	addl	$VECTOR_SIZE, %eax
	addl	$16, %edi
	loop	1b
	lidt	idt_pointer
	ret

# One stub per vector, all of one size.  The CPU pushes an error code for some vectors only: double
# fault, TSS to page fault, alignment, control protection, VMM communication, security.
	.set	VECTOR_SIZE, 16
	.set	ERROR_CODES, 1 << 8 | 0x1f << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30
	.balign	VECTOR_SIZE
vectors:
	.set	vector, 0
	.rept	32
	.balign	VECTOR_SIZE
	.if	!((ERROR_CODES >> vector) & 1)
	pushq	$0
	.endif
	pushq	$vector
	jmp	exception
	.set	vector, vector + 1
	.endr

exception:		# 0: vector, 8: error code, 16: RIP, 24: CS, 32: RFLAGS, 40: RSP, 48: SS
	cmpq	$0, resume
	je	1f
	pushq	%rax
	movq	resume, %rax			# expected: see may_fault
	movq	%rax, 8 + 16(%rsp)
	orq	$1, 8 + 32(%rsp)		# CF
	popq	%rax
	addq	$16, %rsp
	iretq
1:	say	"probe: exception"
	movl	0(%rsp), %eax
	call	put32
	movl	8(%rsp), %eax
	call	put32
	movq	16(%rsp), %rax
	call	put64
	movq	%cr2, %rax
	call	put64
	call	newline
	jmp	stop

	.section .rodata
hex:
	.ascii	"0123456789abcdef"
	.balign	8
idt_pointer:
	.word	32 * 16 - 1
	.quad	IDT
	.text

	.data
	.balign	8
resume:						# where to go on after an expected exception, or 0
	.quad	0
