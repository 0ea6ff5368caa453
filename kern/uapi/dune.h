/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * The interface between dune.ko and a process that wants to be privileged.
 *
 * It is shaped like KVM's, so that libdbos has one front end for both:
 *
 *	open("/dev/dune")	one virtual machine, bound to the caller's address space
 *	  DUNE_SET_SLOT		guest-physical windows onto that address space
 *	  DUNE_CREATE_VCPU	a file descriptor per thread
 *	    mmap()		struct dune_run, shared between kernel, process and nobody else
 *	    DUNE_RUN		run the guest until something only the process can handle
 *	    DUNE_INTERRUPT	the doorbell: any thread raises an interrupt in that vCPU
 *
 * A virtual machine belongs to one address space for ever: every ioctl from another one (a forked
 * child that inherited the descriptor) fails with EIO. All structures are fixed-size, padded by
 * hand and refused (EINVAL) when a reserved field or an unknown flag is not zero. Numbers are
 * native-endian; addresses are 64 bits wide; sizes are in bytes.
 */
#ifndef DUNE_UAPI_H
#define DUNE_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Grows with every incompatible change; libdbos refuses a module with another one. */
#define DUNE_API_VERSION 2

enum dune_vendor {
	DUNE_VENDOR_SVM = 1,
	DUNE_VENDOR_VMX = 2,
};

/* DUNE_GET_INFO: what the module is and what the CPU gives it. */
struct dune_info {
	__u32 version;		/* DUNE_API_VERSION */
	__u32 vendor;		/* enum dune_vendor */
	__u32 gpa_bits;		/* guest-physical addresses are below 1 << gpa_bits */
	__u32 max_slots;
	__u32 max_vcpus;
	__u32 run_size;		/* length to mmap() of a vCPU descriptor */
	__u32 flags;		/* DUNE_INFO_* */
	__u32 pad;
	/*
	 * Ways round a world switch that are in use: 0, for there is none. A doorbell always kicks
	 * its target out of guest mode. Posted interrupts and AVIC will have a bit each here.
	 */
	__u64 fast_paths;
	__u64 reserved[2];
};

/*
 * KVM has the CPUs in SVM or VMX operation, which only one can enter. DUNE_CREATE_VCPU fails with
 * EBUSY until DUNE_LEASE_KVM.
 */
#define DUNE_INFO_NEEDS_LEASE (1u << 0)

/*
 * DUNE_LEASE_KVM: the argument is the descriptor of a virtual machine of KVM's (KVM_CREATE_VM),
 * which may be empty. It keeps KVM in SVM or VMX operation, inside which this VM then runs; the
 * caller may close its own copy. EINVAL: no such descriptor. EEXIST: not needed. EBUSY: a VM
 * without a lease came in between.
 */

/*
 * DUNE_SET_SLOT: guest-physical [gpa, gpa + size) shows the process's memory at
 * [hva, hva + size): whatever is mapped there at the moment of the access, to read, write and
 * execute as the process itself may. The range may have holes; touching one is
 * DUNE_EXIT_MEMORY_FAULT. Two slots may show the same memory.
 *
 * A slot that exists is replaced: moved, resized, or given other flags. A size of zero deletes it.
 * vCPUs may run meanwhile: an access finds the old slot or the new one, and once the call has
 * returned none reaches anything through the old.
 *
 * gpa, size and hva are multiples of 4096. EINVAL: not so, an end beyond gpa_bits or beyond the
 * process's addresses, an unknown flag. EEXIST: another slot is there; nothing has changed.
 * Where gpa and hva agree modulo 2 MiB or 1 GiB, huge pages of the process are mapped as such.
 */
#define DUNE_SLOT_READONLY (1u << 0)	/* a write is DUNE_EXIT_MEMORY_FAULT */

struct dune_slot {
	__u32 slot;		/* 0 .. max_slots - 1 */
	__u32 flags;		/* DUNE_SLOT_* */
	__u64 gpa;
	__u64 size;
	__u64 hva;
	__u64 reserved[2];
};

/* DUNE_GET_STATS: the second-level table now, and exact counters since the VM was created. */
struct dune_stats {
	__u64 tables;		/* pages it takes now, without the root */
	__u64 leaves[3];	/* present now, of 4 KiB, 2 MiB, 1 GiB */
	__u64 invalidations;	/* ranges of its memory that the process changed */
	__u64 retries;		/* faults into memory that was changing at that moment */
	__u64 zapped;		/* leaves removed one by one; more go with their tables */
	__u64 collapsed;	/* tables replaced by a huge leaf */
	__u64 dirtied;		/* written leaves whose page was told so */
	__u64 aged;		/* times reclaim was told that memory is in use */
	__u64 reclaimed;	/* tables freed under memory pressure */
	__u64 reserved[5];
};

struct dune_regs {
	__u64 rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	__u64 r8, r9, r10, r11, r12, r13, r14, r15;
	__u64 rip, rflags;
};

/*
 * DUNE_GET_STATE, DUNE_SET_STATE: what a vCPU has beyond its general registers. A new vCPU is in
 * 64-bit mode at CPL 0 with flat segments and a CR4 made of what the host enables for processes;
 * get the state, change what is yours, set it. Bits outside of what a guest may own are EINVAL, as
 * are addresses that are not canonical in 48 bits, limits above 0xffff, and selectors that are not
 * in the GDT at CPL 0.
 */
struct dune_state {
	__u64 cr0, cr3, cr4, efer;
	__u64 fs_base, gs_base, kernel_gs_base;
	__u64 star, lstar, sfmask;
	__u64 gdt_base, idt_base, tss_base;
	__u32 gdt_limit, idt_limit, tss_limit;
	__u16 cs, ss, tss_selector;	/* GDT selectors of flat code, flat data and the TSS */
	__u16 pad0;
	__u32 pad1;
	__u64 reserved[4];
};

/*
 * DUNE_INTERRUPT, the doorbell: raises interrupt @vector (32..255, the argument itself) in a vCPU.
 * Any thread of the process, at any time, whether the vCPU runs, is in the host or was never
 * entered; it does not wait and is not refused while another thread is in DUNE_RUN.
 *
 * The vCPU takes a pending interrupt as soon as its RFLAGS.IF is set and it is in no interrupt
 * shadow: the highest vector first, one at a time, through its IDT. There is no APIC. An interrupt
 * is acknowledged by being delivered, so no EOI is due, the same vector can be pending again while
 * its handler runs, and what holds others off is RFLAGS.IF alone: an interrupt gate clears it, STI
 * or IRET lets the next one in, of any vector. Raising a vector that is pending already changes
 * nothing. If its delivery is cut off (DUNE_EXIT_MEMORY_FAULT on the IDT or the stack) it is
 * pending again.
 *
 * A vCPU in guest mode is kicked out of it by an IPI. A thread that is not in DUNE_RUN is not
 * woken: a process that sleeps at DUNE_EXIT_HLT wakes itself.
 *
 * Other state of a vCPU that is the guest's alone: DR0-3, DR6 and DR7 (MOV DR just works; a
 * breakpoint sees the guest only). The time-stamp counter is the host's, unshifted, and with it
 * TSC_AUX, which RDTSCP reads where the CPU has it; writing either MSR is #GP.
 */

enum dune_exit {
	/* A signal, a reschedule or lazily kept FPU state wants the thread: just RUN again. */
	DUNE_EXIT_INTERRUPTED = 0,
	/* IN or OUT, already stepped over; the process reads or writes regs.rax. */
	DUNE_EXIT_IO = 1,
	/* HLT, stepped over, and no interrupt pending that ends it. */
	DUNE_EXIT_HLT = 2,
	/* No slot there, or the process may not access its own memory in that way. */
	DUNE_EXIT_MEMORY_FAULT = 3,
	/* Triple fault. The vCPU can't go on: from now on DUNE_RUN is EIO. */
	DUNE_EXIT_SHUTDOWN = 4,
	/* The CPU refused the state (hardware code in hw.code). */
	DUNE_EXIT_FAIL_ENTRY = 5,
	/* An exit this module knows no answer to (hardware code in hw.code). */
	DUNE_EXIT_UNKNOWN = 6,
};

#define DUNE_FAULT_WRITE (1u << 0)
#define DUNE_FAULT_EXEC	 (1u << 1)

/*
 * An exception to deliver at the next entry; cleared when taken. It goes before an interrupt, and
 * replaces an exception whose delivery was cut off by the last exit. Vectors are those that 64-bit
 * code can raise: 0, 1, 3, 6, 7, 16, 18, 19, and with an error code of 15 bits, which these and
 * only these must have, 8, 10 to 14 and 17. All else is EINVAL.
 */
struct dune_event {
	__u8 valid;
	__u8 vector;
	__u8 has_error_code;
	__u8 pad;
	__u32 error_code;
	__u64 cr2;		/* loaded into CR2 for vector 14, else 0 */
};

/*
 * The run page. The process owns it between two DUNE_RUNs, the module during one. The process
 * may scribble on it at any time; that can only hurt its own guest.
 */
struct dune_run {
	/* in */
	__u8 immediate_exit;	/* non-zero: return DUNE_EXIT_INTERRUPTED without entering */
	__u8 pad0[7];
	struct dune_event inject;
	/* in and out */
	struct dune_regs regs;
	/* out */
	__u32 exit_reason;	/* enum dune_exit */
	__u32 pad1;
	union {
		struct {
			__u16 port;
			__u8 size;	/* 1, 2 or 4 */
			__u8 is_write;	/* OUT */
			__u32 pad;
		} io;
		struct {
			__u64 gpa;
			__u32 flags;	/* DUNE_FAULT_* */
			__u32 pad;
		} fault;
		struct {
			__u64 code;
			__u64 info1, info2;
		} hw;
		__u64 space[8];
	};
	/* Counters since the vCPU was created: exact on any engine, so tests can rely on them. */
	__u64 entries;		/* world switches into the guest */
	__u64 faults;		/* second-level faults resolved in the kernel */
	__u64 tlb_flushes;	/* whole-ASID/VPID flushes asked of the CPU at an entry */
	__u64 interrupts;	/* delivered */
	__u64 interrupt_windows; /* exits because the guest could take an interrupt at last */
	__u64 kicks;		/* IPIs that doorbells sent to get this vCPU out of guest mode */
	__u64 reserved[2];
};

#define DUNE_IOCTL_TYPE	 0xdb

/* On a descriptor of /dev/dune. */
#define DUNE_GET_INFO	 _IOR(DUNE_IOCTL_TYPE, 0x00, struct dune_info)
#define DUNE_SET_SLOT	 _IOW(DUNE_IOCTL_TYPE, 0x01, struct dune_slot)
#define DUNE_CREATE_VCPU _IO(DUNE_IOCTL_TYPE, 0x02)	/* argument 0; returns a descriptor */
/* Argument 0; returns DUNE_API_VERSION. The one request that stays as it is in every version. */
#define DUNE_GET_VERSION _IO(DUNE_IOCTL_TYPE, 0x03)
#define DUNE_GET_STATS	 _IOR(DUNE_IOCTL_TYPE, 0x04, struct dune_stats)
#define DUNE_LEASE_KVM	 _IO(DUNE_IOCTL_TYPE, 0x05)

/* On a vCPU descriptor. One thread at a time: a second one gets EBUSY, except from the doorbell. */
#define DUNE_RUN	 _IO(DUNE_IOCTL_TYPE, 0x10)
#define DUNE_GET_STATE	 _IOR(DUNE_IOCTL_TYPE, 0x11, struct dune_state)
#define DUNE_SET_STATE	 _IOW(DUNE_IOCTL_TYPE, 0x12, struct dune_state)
#define DUNE_INTERRUPT	 _IO(DUNE_IOCTL_TYPE, 0x13)	/* argument: the vector */

#if defined(__KERNEL__) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L)
#define DUNE_ASSERT_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), "struct " #type " changed its ABI")
DUNE_ASSERT_SIZE(dune_info, 56);
DUNE_ASSERT_SIZE(dune_slot, 48);
DUNE_ASSERT_SIZE(dune_stats, 128);
DUNE_ASSERT_SIZE(dune_regs, 144);
DUNE_ASSERT_SIZE(dune_state, 160);
DUNE_ASSERT_SIZE(dune_event, 16);
DUNE_ASSERT_SIZE(dune_run, 304);
#undef DUNE_ASSERT_SIZE
#endif

#endif /* DUNE_UAPI_H */
