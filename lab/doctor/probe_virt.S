# SPDX-License-Identifier: BSD-2-Clause
#
# A part of probe.S: the two trials of virtualization.  Each prints what there is to know about its
# vendor's extension, uses it once, and says how far it came; a CPU without it passes silently.

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

	.section .rodata
	.balign	8
vmxon_pointer:
	.quad	VMXON_REGION
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
	.text
