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
#	probe: svm NAME				locked-off | efer-fault | vmrun-fault
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
	andl	$~(3 << 29), %eax		# CR0.CD and CR0.NW: some firmware leaves caches off
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

	.section .rodata
	.balign	4
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
	.text

	.include "probe_virt.S"
	.include "probe_io.S"
