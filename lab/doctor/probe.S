# SPDX-License-Identifier: BSD-2-Clause
#
# The probe: a kernel of 8 KiB that the doctor boots to learn what an engine is worth.
#
# An engine that opens /dev/kvm and creates a vCPU may still be unable to run a kernel, and a CPU
# flag seen from outside says nothing about the flag inside.  So the probe goes the way every
# kernel goes, from real mode through protected mode to long mode, prints the raw CPUID and MSR
# words, measures the speed of ring 0, and uses the virtualisation extension once.  It interprets
# nothing: whatever takes judgement is done by the doctor, in Python, where it can be tested.
#
# One flat image boots as a floppy or as a hard disk under any PC BIOS.  It talks on COM1, in lines:
#
#	probe: boot-sector			the firmware is done
#	probe: disk-error			... and could not read the rest of this image
#	probe: long-mode
#	probe: cpuid LEAF SUBLEAF EAX EBX ECX EDX
#	probe: loop N start			then N and its instructions, after each round
#	probe: loop N INSTRUCTIONS
#	probe: msr NUMBER VALUE			"fault" where reading it raised an exception
#	probe: svm NAME			locked-off | efer-fault | vmrun-fault
#	probe: svm vmrun NPT EXITCODE RAX
#	probe: vmx NAME				locked-off | vmxon-fault | vmxon-ok | vmxoff-ok
#	probe: exception VECTOR ERROR RIP CR2	an exception that nobody expected; the end
#	probe: done				the end
#
# All numbers are hexadecimal, of fixed width.
#
# Physical memory.  Everything is below 1 MiB, so the A20 gate does not matter.
#
#	07c00	this image (boot sector, then the rest)
#	10000	page tables: PML4, PDPT, one page directory; identity, 1 GiB, 2 MiB pages
#	13000	IDT
#	14000	SVM: the VMCB		15000	SVM: host save area
#	16000	VMX: the VMXON region
#	7c00	stack in real mode, grows down		80000	stack afterwards

	.set	IMAGE,		0x7c00
	.set	SECTORS,	15		# beside the boot sector; all on the first track
	.set	PML4,		0x10000
	.set	PDPT,		0x11000
	.set	PD,		0x12000
	.set	IDT,		0x13000
	.set	VMCB,		0x14000
	.set	HOST_SAVE,	0x15000
	.set	VMXON_REGION,	0x16000
	.set	TABLES_END,	0x17000
	.set	STACK,		0x80000

	.set	COM1,		0x3f8
	.set	DEBUG_EXIT,	0xf4		# QEMU's isa-debug-exit, where there is one

	.set	CODE32,		0x08
	.set	CODE64,		0x10
	.set	DATA,		0x18

	.set	MSR_EFER,		0xc0000080
	.set	EFER_LME,		1 << 8
	.set	EFER_SVME,		1 << 12
	.set	MSR_VM_CR,		0xc0010114
	.set	VM_CR_SVMDIS,		1 << 4
	.set	MSR_VM_HSAVE_PA,	0xc0010117
	.set	MSR_FEATURE_CONTROL,	0x3a
	.set	MSR_VMX_BASIC,		0x480
	.set	MSR_VMX_CR0_FIXED0,	0x486
	.set	MSR_VMX_CR4_FIXED0,	0x488

	.set	FIRST_ROUND,	250000		# iterations of two instructions; each round doubles
	.set	ROUNDS,		7

# ---------------------------------------------------------------------------------- real mode

	.code16
	.globl	start
start:
	cli
	cld
	ljmp	$0, $1f				# some firmwares enter at 07c0:0000
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$IMAGE, %sp
	movb	%dl, boot_drive

	# 115200 baud, 8N1, FIFO on, no interrupts.
	movw	$uart_setup, %si
2:	lodsw					# AL: register, AH: value
	cmpb	$0xff, %al
	je	3f
	movw	$COM1, %dx
	addb	%al, %dl
	movb	%ah, %al
	outb	%al, %dx
	jmp	2b

3:	movw	$hello, %si
	call	puts16

	# Read the rest of the image right behind the boot sector.  Drives may need a reset and a
	# second try; a floppy's motor may still be spinning up at the first.
	sti
	movw	$5, %di
4:	movw	$0x0200 + SECTORS, %ax
	movw	$IMAGE + 512, %bx
	movw	$0x0002, %cx			# cylinder 0, sector 2
	xorb	%dh, %dh			# head 0
	movb	boot_drive, %dl
	int	$0x13
	jnc	5f
	xorb	%ah, %ah
	int	$0x13
	decw	%di
	jnz	4b
	movw	$disk_error, %si
	call	puts16
6:	hlt
	jmp	6b

5:	cli
	lgdt	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al				# CR0.PE
	movl	%eax, %cr0
	ljmp	$CODE32, $protected

puts16:						# SI: a string that ends in a zero byte
	lodsb
	testb	%al, %al
	jz	2f
	movb	%al, %bl
	movw	$COM1 + 5, %dx
1:	inb	%dx, %al			# wait for room: line status, bit 5
	testb	$0x20, %al
	jz	1b
	movw	$COM1, %dx
	movb	%bl, %al
	outb	%al, %dx
	jmp	puts16
2:	ret

uart_setup:
	.byte	1, 0x00				# no interrupts
	.byte	3, 0x80				# the next two set the divisor
	.byte	0, 1
	.byte	1, 0
	.byte	3, 0x03				# 8N1
	.byte	2, 0x07				# FIFO on and empty
	.byte	4, 0x03				# DTR, RTS
	.byte	0xff, 0

boot_drive:
	.byte	0
hello:
	.asciz	"\nprobe: boot-sector\n"
disk_error:
	.asciz	"probe: disk-error\n"

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff		# CODE32: flat, ring 0
	.quad	0x00af9b000000ffff		# CODE64
	.quad	0x00cf93000000ffff		# DATA: flat, ring 0, writable
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.org	510
	.word	0xaa55				# "this disk can be booted"

# ----------------------------------------------------------------------------- protected mode

	.code32
protected:
	movw	$DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$STACK, %esp

	movl	$PML4, %edi
	movl	$(TABLES_END - PML4) / 4, %ecx
	xorl	%eax, %eax
	rep stosl

	# Present, writable, user.  User, because these tables serve as nested page tables too, and
	# the walk of a nested table counts as a user access.
	movl	$PDPT + 7, PML4
	movl	$PD + 7, PDPT
	movl	$PD, %edi
	movl	$0x87, %eax			# the same, and PS: a 2 MiB page
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	cmpl	$PD + 4096, %edi
	jb	1b

	movl	%cr4, %eax
	orl	$1 << 5, %eax			# CR4.PAE
	movl	%eax, %cr4
	movl	$PML4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$1 << 31, %eax			# CR0.PG: long mode is active from here
	movl	%eax, %cr0
	ljmp	$CODE64, $long_mode

# ---------------------------------------------------------------------------------- long mode

	.code64

# say "text": print a literal.  Changes RSI only.
	.macro	say	text
	.section .rodata
.Lsay\@:
	.asciz	"\text"
	.text
	movl	$.Lsay\@, %esi
	call	puts
	.endm

# may_fault INSTRUCTION: afterwards CF is set iff it raised an exception (or set CF itself, as
# VMXON does to say no).  For instructions that leave CF alone otherwise.
	.macro	may_fault	instruction:vararg
	movq	$.Lafter\@, resume
	clc
	\instruction
.Lafter\@:
	movq	$0, resume			# MOV leaves the flags alone
	.endm

long_mode:
	movl	$STACK, %esp
	call	load_idt
	say	"probe: long-mode\n"
	call	show_cpuid
	call	run_loops
	call	try_svm
	call	try_vmx
	say	"probe: done\n"
stop:
	movl	$COM1 + 5, %edx			# the last line first: transmitter empty, bit 6
1:	inb	%dx, %al
	testb	$0x40, %al
	jz	1b
	xorl	%eax, %eax
	outb	%al, $DEBUG_EXIT
1:	cli
	hlt
	jmp	1b

# Print the leaves of the table that exist.  An Intel CPU answers a leaf beyond its last one with
# the words of the last one, hence the comparison with the maximum of the leaf's own range.
show_cpuid:
	movl	$leaves, %ebx
1:	movl	(%rbx), %r8d			# leaf
	movl	4(%rbx), %r9d			# subleaf
	cmpl	$-1, %r8d
	je	3f
	pushq	%rbx
	movl	%r8d, %eax
	andl	$0xc0000000, %eax		# where this leaf's range begins
	xorl	%ecx, %ecx
	cpuid
	cmpl	%eax, %r8d
	ja	2f
	movl	%r8d, %eax
	movl	%r9d, %ecx
	cpuid
	movl	%eax, %r10d
	movl	%ecx, %r11d
	movl	%edx, %r12d
	say	"probe: cpuid"
	movl	%r8d, %eax
	call	put32
	movl	%r9d, %eax
	call	put32
	movl	%r10d, %eax
	call	put32
	movl	%ebx, %eax
	call	put32
	movl	%r11d, %eax
	call	put32
	movl	%r12d, %eax
	call	put32
	call	newline
2:	popq	%rbx
	addl	$8, %ebx
	jmp	1b
3:	ret

# How fast is ring 0?  Rounds of twice the length each: the short ones give an emulator that does
# a million instructions a second away within a second or two; the long ones can be timed on
# hardware that does billions.
run_loops:
	say	"probe: loop 00000000 start\n"
	movl	$FIRST_ROUND, %r13d
	movl	$1, %r14d
1:	movl	%r13d, %ecx
2:	decl	%ecx
	jnz	2b
	say	"probe: loop"
	movl	%r14d, %eax
	call	put32
	leal	(%r13, %r13), %eax
	call	put32
	call	newline
	addl	%r13d, %r13d
	incl	%r14d
	cmpl	$ROUNDS, %r14d
	jbe	1b
	ret

# --------------------------------------------------------------------------------------- SVM

# Run one guest: long mode, our own address space, a handful of bytes long.  With nested paging
# if there is any, and then through the same tables once more.
try_svm:
	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x8000000a, %eax
	jb	9f
	movl	$0x80000001, %eax
	cpuid
	btl	$2, %ecx			# SVM
	jnc	9f
	movl	$svm_msrs, %ebx
	call	show_msrs

	movl	$MSR_VM_CR, %ecx
	may_fault rdmsr
	jc	1f				# an old model of SVM without the lock: try it
	testl	$VM_CR_SVMDIS, %eax
	jz	1f
	say	"probe: svm locked-off\n"
	ret

1:	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_SVME, %eax
	may_fault wrmsr
	jnc	2f
	say	"probe: svm efer-fault\n"
	ret

2:	movl	$MSR_VM_HSAVE_PA, %ecx
	movl	$HOST_SAVE, %eax
	xorl	%edx, %edx
	wrmsr

	# The VMCB was zeroed with the page tables.  Control area: what must be intercepted
	# (VMRUN, by the architecture), what ends the guest, an address space number of its own.
	movl	$VMCB, %edi
	movl	$3, 0x010(%rdi)			# intercept VMRUN and VMMCALL
	movl	$1, 0x058(%rdi)			# ASID; 0 is the host's
	movl	$0x8000000a, %eax
	cpuid
	movl	%edx, %r15d
	andl	$1, %r15d			# NPT
	movl	%r15d, 0x090(%rdi)
	movl	$PML4, 0x0b0(%rdi)		# nCR3; ignored without nested paging

	# State save area: our own control registers, flat segments, a fresh RIP.
	movw	$DATA, 0x400(%rdi)		# ES
	movw	$0xc93, 0x402(%rdi)
	movl	$-1, 0x404(%rdi)
	movw	$CODE64, 0x410(%rdi)		# CS
	movw	$0xa9b, 0x412(%rdi)		# present, code, long
	movl	$-1, 0x414(%rdi)
	movw	$DATA, 0x420(%rdi)		# SS
	movw	$0xc93, 0x422(%rdi)
	movl	$-1, 0x424(%rdi)
	movw	$DATA, 0x430(%rdi)		# DS
	movw	$0xc93, 0x432(%rdi)
	movl	$-1, 0x434(%rdi)
	movl	$MSR_EFER, %ecx
	rdmsr
	movl	%eax, 0x4d0(%rdi)
	movq	%cr4, %rax
	movq	%rax, 0x548(%rdi)
	movq	%cr3, %rax
	movq	%rax, 0x550(%rdi)
	movq	%cr0, %rax
	movq	%rax, 0x558(%rdi)
	movq	$0x400, 0x560(%rdi)		# DR7 and DR6 as after reset
	movl	$0xffff0ff0, %eax
	movq	%rax, 0x568(%rdi)
	movq	$2, 0x570(%rdi)			# RFLAGS: interrupts off
	movq	$svm_guest, 0x578(%rdi)		# RIP
	movq	$STACK - 0x1000, 0x5d8(%rdi)	# RSP
	movl	$0x00070406, 0x668(%rdi)	# PAT as after reset
	movl	$0x00070406, 0x66c(%rdi)

	movl	$VMCB, %eax
	may_fault vmrun
	jnc	3f
	say	"probe: svm vmrun-fault\n"
	ret

3:	stgi					# the exit left the global interrupt flag off
	say	"probe: svm vmrun"
	movl	%r15d, %eax
	call	put32
	movq	VMCB + 0x070, %rax		# exit code
	call	put64
	movq	VMCB + 0x5f8, %rax		# the guest's RAX
	call	put64
	call	newline
9:	ret

svm_guest:
	movl	$0x600d, %eax			# shows that the guest ran at all
	vmmcall
1:	jmp	1b

# --------------------------------------------------------------------------------------- VT-x

# Print the capability words; switch the extension on and off again.
try_vmx:
	movl	$1, %eax
	cpuid
	btl	$5, %ecx			# VMX
	jnc	9f
	movl	$vmx_msrs, %ebx
	call	show_msrs

	# The firmware may have locked VMX out; if it locked nothing, we allow it.
	movl	$MSR_FEATURE_CONTROL, %ecx
	may_fault rdmsr
	jc	2f
	testb	$1, %al				# locked
	jnz	1f
	orl	$5, %eax			# lock, with VMX outside SMX
	may_fault wrmsr
	jmp	2f
1:	testb	$4, %al
	jnz	2f
	say	"probe: vmx locked-off\n"
	ret

2:	movl	$MSR_VMX_CR0_FIXED0, %ecx	# bits that must be one: NE, beside PE and PG
	rdmsr
	movq	%cr0, %rbx
	orq	%rax, %rbx
	movq	%rbx, %cr0
	movl	$MSR_VMX_CR4_FIXED0, %ecx	# VMXE
	rdmsr
	movq	%cr4, %rbx
	orq	%rax, %rbx
	movq	%rbx, %cr4

	movl	$MSR_VMX_BASIC, %ecx
	rdmsr
	andl	$0x7fffffff, %eax		# the revision, which the region begins with
	movl	%eax, VMXON_REGION
	may_fault vmxon vmxon_pointer
	jnc	3f
	say	"probe: vmx vmxon-fault\n"
	ret
3:	say	"probe: vmx vmxon-ok\n"
	vmxoff
	say	"probe: vmx vmxoff-ok\n"
9:	ret

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

# One stub per vector, all of one size.  The CPU pushes an error code for some vectors only.
	.set	VECTOR_SIZE, 16
	.balign	VECTOR_SIZE
vectors:
	.set	vector, 0
	.rept	32
	.balign	VECTOR_SIZE
	.if	!((0x60227d00 >> vector) & 1)
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

# -------------------------------------------------------------------------------------- tables

	.section .rodata
	.balign	8
leaves:						# leaf, subleaf
	.long	0x00000000, 0			# vendor
	.long	0x00000001, 0			# vmx, pcid, x2apic, xsave, hypervisor
	.long	0x00000007, 0			# fsgsbase, smep, smap, invpcid, la57
	.long	0x0000000d, 1			# xsaveopt, xsavec, xsaves
	.long	0x40000000, 0			# the hypervisor's name, where there is one
	.long	0x80000000, 0
	.long	0x80000001, 0			# svm, 1 GiB pages
	.long	0x80000008, 0			# address widths
	.long	0x8000000a, 0			# npt, nrip-save, ...
	.long	-1
svm_msrs:
	.long	MSR_VM_CR, 0
vmx_msrs:
	.long	MSR_FEATURE_CONTROL
	.long	0x480				# basic
	.long	0x481				# pin-based controls
	.long	0x482				# processor-based controls
	.long	0x485				# miscellaneous
	.long	0x48b				# secondary processor-based controls
	.long	0x48c				# EPT and VPID
	.long	0x48d				# true pin-based controls
	.long	0x48e				# true processor-based controls
	.long	0
	.balign	8
vmxon_pointer:
	.quad	VMXON_REGION
idt_pointer:
	.word	32 * 16 - 1
	.quad	IDT
hex:
	.ascii	"0123456789abcdef"

	.data
	.balign	8
resume:						# where to go on after an expected exception, or 0
	.quad	0
