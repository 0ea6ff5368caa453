# SPDX-License-Identifier: BSD-2-Clause
#
# An option ROM that starts a Linux kernel which already lies in memory.
#
# Bochs can load a file into guest memory before the first instruction ("optramimage"), and that
# costs no emulated instruction; a boot loader that reads a disk costs a minute. The BIOS calls this
# ROM when memory, PCI and ACPI tables are set up and before it looks for disks; it never returns.
#
# One thing about that file is peculiar. Bochs 2.7 gives guest memory its host memory in blocks, in
# the order of first touch, and reads the file straight into host memory: a file of many blocks is
# in place only if the guest touches these blocks in their order, and the blocks that the BIOS
# touched meanwhile have swallowed some of it. So the file begins with padding, a known word at the
# start of each block, more of it than the BIOS touches; the code below walks over what is left of
# it, and over the payload, in order. Where the whole file is put in place at once, the same walk
# finds it too. lab/machine/ramimage.py writes the file; behind the padding come
#
#	a page of words:
#	+0	"payl"
#	+4	size of all that follows the padding; its last word is "pend"
#	+8	the kernel: offset from "payl"
#	+12	... size in words
#	+16	... address to move it to
#	+20	... address of its 64-bit entry point
#	a page of boot parameters, complete but for the memory map and the address of the initramfs,
#	which is an offset from "payl" (Linux: Documentation/arch/x86/boot.rst and zero-page.rst)
#	a page with the command line
#	the kernel, the initramfs

	.set	ROM,		0xd0000
	.set	ROM_BYTES,	2048
	.set	IMAGE,		0x8000000	# ADDRESS in ramimage.py
	.set	BLOCK,		0x20000		# ... BLOCK
	.set	PADDING,	0x20646170	# "pad "
	.set	PAYLOAD,	0x6c796170	# "payl"
	.set	PAYLOAD_END,	0x646e6570	# "pend"

	.set	STACK,		0x7c00
	.set	PML4,		0x3000
	.set	PDPT,		0x4000
	.set	PD,		0x5000
	.set	TABLES_WORDS,	0x3000 / 4
	.set	E820_TABLE,	0x8000
	.set	BOOT_PARAMS,	0x10000		# ... BOOT_PARAMS; the command line's page follows
	.set	PAGE,		0x1000
	.set	E820_ENTRY,	20

	.set	BP_E820_COUNT,	0x1e8		# offsets in struct boot_params
	.set	BP_RAMDISK,	0x218
	.set	BP_E820,	0x2d0

	.set	CODE32,		0x08
	.set	CODE64,		0x10
	.set	DATA,		0x18
	.set	APIC_ICR,	0xfee00300
	.set	INIT_OTHERS,	0xc4500		# INIT, assert, to all but this processor
	.set	EFER,		0xc0000080
	.set	EFER_LME,	1 << 8
	.set	COM1,		0x3f8
	.set	PM_CONTROL,	0xb004		# where the BIOS puts the PIIX4's
	.set	SLEEP,		1 << 13		# ... as type 0: power off

# ---------------------------------------------------------------------------------- real mode

	.code16
	.globl	start
start:	.byte	0x55, 0xaa, ROM_BYTES / 512
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %es
	movw	%ax, %ss
	movw	$STACK, %sp
	movw	%cs, %ax
	movw	%ax, %ds

	# The memory map, by the only interface it has. EBP counts its entries.
	movw	$E820_TABLE, %di
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
1:	movl	$0xe820, %eax
	movl	$E820_ENTRY, %ecx
	movl	$0x534d4150, %edx		# "SMAP"
	int	$0x15
	jc	2f
	addw	$E820_ENTRY, %di
	incw	%bp
	testl	%ebx, %ebx
	jnz	1b

2:	cli
	movb	$2, %al				# A20, the fast way
	outb	%al, $0x92
	lgdtl	gdt_pointer - ROM
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$CODE32, $protected

# ----------------------------------------------------------------------------- protected mode

	.code32
protected:
	movw	$DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$STACK, %esp

	# The BIOS leaves the other processors in an endless loop, each as slow to emulate as this
	# one. Waiting for a start-up interrupt they cost nothing; Linux sends INIT again anyway.
	movl	$INIT_OTHERS, APIC_ICR

	movl	$IMAGE, %ebx
1:	cmpl	$PADDING, (%ebx)
	jne	2f
	addl	$BLOCK, %ebx
	jmp	1b
2:	cmpl	$PAYLOAD, (%ebx)		# EBX: the payload, from now on
	jne	broken

	movl	4(%ebx), %edx
	addl	%ebx, %edx
	movl	%ebx, %edi
3:	movb	(%edi), %al
	addl	$BLOCK, %edi
	cmpl	%edx, %edi
	jb	3b
	cmpl	$PAYLOAD_END, -4(%edx)
	jne	broken

	# Boot parameters and command line.
	leal	PAGE(%ebx), %esi
	movl	$BOOT_PARAMS, %edi
	movl	$2 * PAGE / 4, %ecx
	rep movsl
	movl	%ebp, %eax
	movb	%al, BOOT_PARAMS + BP_E820_COUNT
	leal	(%ebp, %ebp, E820_ENTRY / 4 - 1), %ecx
	movl	$E820_TABLE, %esi
	movl	$BOOT_PARAMS + BP_E820, %edi
	rep movsl
	addl	%ebx, BOOT_PARAMS + BP_RAMDISK

	# The kernel, downwards: it may overlap.
	movl	8(%ebx), %esi
	addl	%ebx, %esi
	movl	12(%ebx), %ecx
	movl	16(%ebx), %edi
	movl	20(%ebx), %ebp
	rep movsl

	# The first GiB, mapped to itself by 2 MiB pages; the boot protocol asks for no more.
	movl	$PML4, %edi
	xorl	%eax, %eax
	movl	$TABLES_WORDS, %ecx
	rep stosl
	movl	$PDPT + 3, PML4			# present, writable
	movl	$PD + 3, PDPT
	movl	$PD, %edi
	movl	$0x83, %eax			# ... and large
4:	movl	%eax, (%edi)
	addl	$8, %edi
	addl	$0x200000, %eax
	cmpl	$0x40000083, %eax
	jb	4b

	movl	%cr4, %eax
	orl	$0x20, %eax			# PAE
	movl	%eax, %cr4
	movl	$PML4, %eax
	movl	%eax, %cr3
	movl	$EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax		# PG
	movl	%eax, %cr0
	ljmp	$CODE64, $long

	.code64
long:	movl	$BOOT_PARAMS, %esi
	movl	%ebp, %eax
	jmp	*%rax

# -------------------------------------------------------------------------------------- no way

	.code32
broken:	movw	$COM1 + 3, %dx			# the BIOS leaves it at five bits to a character
	movb	$3, %al				# 8N1
	outb	%al, %dx
	movl	$message, %esi
1:	movw	$COM1 + 5, %dx
2:	inb	%dx, %al
	testb	$0x20, %al			# room for a character
	jz	2b
	lodsb
	testb	%al, %al
	jz	3f
	movw	$COM1, %dx
	outb	%al, %dx
	jmp	1b
3:	movw	$PM_CONTROL, %dx
	movw	$SLEEP, %ax
	outw	%ax, %dx
	jmp	3b

message:
	.asciz	"dbos-lab: init failed: the loader did not find the kernel in memory\r\n"

	.balign	8
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.org	ROM_BYTES
