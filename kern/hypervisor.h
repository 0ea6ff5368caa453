/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the module share.
 *
 *	core.c		/dev/dune, module load
 *	hardware.c	CPUs entering and leaving SVM/VMX operation
 *	lease.c		sharing that with KVM
 *	vm.c		the VM descriptor: life time, ioctls
 *	vcpu.c		the vCPU descriptor: the run loop
 *	interrupt.c	pending interrupts, the doorbell
 *	debug.c		debug registers, the guest's and the host's
 *	slots.c		which guest-physical addresses show which of the process's
 *	memory.c	second-level faults: the second-level table mirrors the process's
 *	notifier.c	invalidation and aging, as the kernel asks for them
 *	host_page.c	from a user address to the page behind it
 *	tdp.c		the second-level page table itself, NPT or EPT by its struct tdp_format
 *	statistics.c	what each VM did, in debugfs; trace.h: the same as tracepoints
 *	shrinker.c	tables given back under memory pressure
 *	cpuid.c		what the guest has of the CPU: CR4, and what CPUID says
 *	predictors.c	a barrier between the guests of two processes
 *	compat.h	what differs between kernels
 *	barriers.h	against speculation at a world switch
 *	svm/		AMD, behind struct vendor_ops
 *	vmx/		Intel, likewise
 *
 * Lock order: vcpu->run_lock, then vm->slots_mutex, then mmap_lock, then the shrinker's list of
 * VMs, then vm->mmu_lock.
 */
#ifndef DUNE_HYPERVISOR_H
#define DUNE_HYPERVISOR_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include "compat.h"
#include "uapi/dune.h"

#define DUNE_MAX_SLOTS 32
#define DUNE_MAX_VCPUS 1024
#define DUNE_MAX_INVALIDATIONS 16	/* at once, listed by range */
#define DUNE_VECTORS 256

/*
 * How the hardware encodes an entry of the second-level table, and how deep the table is. A
 * vendor fills one of these in at setup() and then never changes it.
 *
 * An entry is 0, or a table (the address of the next one, plus @table), or a leaf: the address of
 * memory, plus @leaf, plus @huge above the lowest level, plus @write or nothing, plus @exec or
 * @no_exec. NPT has a bit that forbids execution, EPT one that allows it; so one of these two is 0.
 *
 * @accessed and @dirty are set by the CPU when it uses a leaf or writes through it (in EPT: bits 8
 * and 9, if EPTP bit 6 says so). A vendor whose CPU does not keep them leaves both 0: then every
 * leaf counts as used and every writable one as written.
 */
struct tdp_format {
	unsigned int levels;		/* 4 or 5 */
	unsigned int max_leaf_level;	/* 1: 4 KiB leaves only; 2: also 2 MiB; 3: also 1 GiB */
	u64 present;			/* any of these bits: the entry is in use */
	u64 table;			/* every right: leaves alone decide */
	u64 leaf;			/* readable, write-back memory (EPT: type 6 in bits 5:3) */
	u64 huge;			/* bit 7 in both formats */
	u64 write;
	u64 exec;
	u64 no_exec;
	u64 accessed;
	u64 dirty;
};

/* Tables allocated before mmu_lock is taken, so that mapping a page can't fail or sleep. */
#define TDP_CACHE_SIZE 4

struct tdp_cache {
	unsigned int count;
	void *pages[TDP_CACHE_SIZE];
};

#define TDP_LEVEL_SIZE(level) (1ULL << (PAGE_SHIFT + 9 * ((level) - 1)))
#define TDP_ZAP_PIECE (64 * TDP_LEVEL_SIZE(2))	/* zapped without a break */
#define TDP_SHRINK_BATCH 64

/* A leaf to map; @pfn is its first page. @dirty: the guest is about to write. */
struct tdp_leaf {
	unsigned long pfn;
	unsigned int level;
	bool write, exec, dirty;
};

/* What the process's own page table says of one address; @pfn is that of the 4 KiB page. */
struct host_mapping {
	unsigned long pfn;
	unsigned int level;
	bool write, exec;
};

/* Ranges of the process's addresses between start and end of an invalidation. */
struct invalidation {
	u64 start, end;
};

struct invalidations {
	unsigned int count;
	unsigned int unlisted;		/* more that found no room */
	struct invalidation range[DUNE_MAX_INVALIDATIONS];
};

struct vm {
	struct kref kref;
	u64 id;				/* never used twice while the module is loaded */
	struct mm_struct *mm;		/* the one address space; held by the notifier */
	struct mmu_notifier notifier;
	atomic_t vcpus;
	struct file *lease;		/* see DUNE_LEASE_KVM */
	bool has_hardware;		/* holds a reference of hardware.c's; set once */

	struct mutex slots_mutex;	/* serialises DUNE_SET_SLOT and DUNE_LEASE_KVM */

	spinlock_t mmu_lock;		/* protects everything below */
	u64 *tdp_root;
	struct dune_slot slots[DUNE_MAX_SLOTS];
	struct invalidations invalidations;
	struct dune_stats stats;
	u64 shrink_hand;		/* where memory_shrink() goes on */

	struct list_head shrink_list;	/* of all VMs, in shrinker.c */

	/* Readers are vCPUs about to enter; see vm_flush_tlb(). */
	atomic64_t tlb_generation;
	cpumask_var_t guest_cpus;	/* CPUs that are, or are about to be, in guest mode */

	struct vm_statistics __percpu *statistics;
	struct dentry *debugfs;
};

struct vcpu {
	struct vm *vm;
	struct dune_run *run;		/* one page, shared with user space */

	/* Any thread, any time: see interrupt.c. */
	DECLARE_BITMAP(pending, DUNE_VECTORS);
	int guest_cpu;			/* in, or about to enter, guest mode there; -1: is not */
	atomic64_t kicks;

	struct mutex run_lock;		/* protects everything below */
	bool dead;			/* after a triple fault */
	u64 tlb_generation;		/* of the last entry */
	struct tdp_cache cache;
	struct {
		bool live;		/* the guest's MOV DR do not exit any more */
		unsigned long address[4]; /* DR0-3 while the guest does not run; DR6, DR7: vendor */
		unsigned long host[4];	/* the host's while it does */
	} debug;
	void *vendor;			/* struct svm_vcpu or vmx_vcpu */
};

/*
 * One scenario, two vendors. Everything but @enter runs with interrupts on and may sleep, unless
 * noted. @cpu_enable and @cpu_disable run on the CPU they are about.
 */
struct vendor_ops {
	u32 id;				/* enum dune_vendor */
	const char *name;
	const char *kvm_module;		/* of KVM's for the same CPUs */
	int (*setup)(void);		/* once, at load; logs why when it fails */
	void (*teardown)(void);
	/*
	 * May be atomic. @leased: the CPU is in SVM or VMX operation and stays so until
	 * cpu_disable() is over.
	 */
	int (*cpu_enable)(bool leased);
	void (*cpu_disable)(void);	/* may be atomic */
	const struct tdp_format *(*tdp_format)(void);
	int (*vcpu_create)(struct vcpu *vcpu);
	void (*vcpu_destroy)(struct vcpu *vcpu);
	void (*get_state)(struct vcpu *vcpu, struct dune_state *state);
	int (*set_state)(struct vcpu *vcpu, const struct dune_state *state);
	/*
	 * Queues an exception for the next entry, in place of one that is queued already; an
	 * interrupt that is goes back by interrupt_return().
	 */
	void (*inject)(struct vcpu *vcpu, const struct dune_event *event);
	/*
	 * Interrupts off. If the guest can take an external interrupt at the next entry
	 * (run->regs.rflags has IF, no STI or MOV SS shadow, no other event queued), queues @vector
	 * and returns true. False: it can't, nothing changed.
	 *
	 * When an exit cuts off the delivery of an interrupt, handle_exit() does not queue it
	 * again but hands it to interrupt_return(), so that a higher one may go first. It calls
	 * it before anything that looks at pending interrupts.
	 */
	bool (*inject_interrupt)(struct vcpu *vcpu, u8 vector);
	/*
	 * Interrupts off. @wanted: the guest exits as soon as it could take an interrupt (after
	 * the event queued for this entry, if there is one), and handle_exit() counts that in
	 * run->interrupt_windows. Called before every entry, so it costs nothing when nothing
	 * changes; it may be called again, with another answer, before @enter.
	 */
	void (*interrupt_window)(struct vcpu *vcpu, bool wanted);
	/*
	 * Preemption off, interrupts on, right before @enter on the same CPU: the last chance to
	 * interrupt another one. May be NULL.
	 */
	void (*prepare)(struct vcpu *vcpu);
	/*
	 * Interrupts off. @flush: drop every translation of this guest first. False: this CPU is
	 * on its way down and has left SVM or VMX operation; nothing was done.
	 *
	 * The guest's DR0-3 are loaded if vcpu->debug.live, and host breakpoints are put back after
	 * it returns: both by the caller. DR6 and DR7 of the guest are the vendor's to switch.
	 * MOV DR exits until the guest uses it first: then handle_exit() calls
	 * debug_registers_give(), lifts that intercept, and lets the instruction run again. #DB
	 * exits always and is queued again with DR6 up to date and DR7.GD clear.
	 */
	bool (*enter)(struct vcpu *vcpu, bool flush);
	/*
	 * 1: run on; 0: run->exit_reason is set, back to user space; -errno: the ioctl fails. HLT
	 * is stepped over, its shadow cleared, and the answer left to interrupt_halt().
	 */
	int (*handle_exit)(struct vcpu *vcpu);
};

extern const struct vendor_ops svm_ops;
extern const struct vendor_ops vmx_ops;

/* core.c */
const struct vendor_ops *vendor(void);

/* hardware.c */
int hardware_get(bool leased);
void hardware_put(void);

/* lease.c: whether all CPUs stay in SVM or VMX operation while @file is open */
bool lease_valid(struct file *file);

/* vm.c */
int vm_create(struct file *file);
void vm_put(struct vm *vm);
long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int vm_release(struct inode *inode, struct file *file);
void vm_flush_tlb(struct vm *vm);

/* vcpu.c */
int vcpu_create_fd(struct vm *vm);

/* interrupt.c */
void interrupt_init(struct vcpu *vcpu);
int interrupt_raise(struct vcpu *vcpu, unsigned long vector);
void interrupt_enter_guest(struct vcpu *vcpu, int cpu);
void interrupt_leave_guest(struct vcpu *vcpu);
void interrupt_deliver(struct vcpu *vcpu);
void interrupt_return(struct vcpu *vcpu, u8 vector);
int interrupt_halt(struct vcpu *vcpu);

/* debug.c */
void debug_registers_give(struct vcpu *vcpu);
void debug_registers_load(struct vcpu *vcpu);
void debug_registers_restore(struct vcpu *vcpu);

/* memory.c */
int memory_init(struct vm *vm);
void memory_destroy(struct vm *vm);
int memory_exit(struct vcpu *vcpu, u64 gpa, u32 flags);
void memory_zap(struct vm *vm, u64 gpa, u64 end, bool may_sleep);

/* slots.c */
int slot_set(struct vm *vm, const struct dune_slot *slot);
int slot_find(const struct vm *vm, u64 gpa, struct dune_slot *found);
bool slot_clip(const struct vm *vm, int i, u64 start, u64 end, u64 *gpa, u64 *gpa_end);

/* notifier.c */
int notifier_register(struct vm *vm);
void notifier_unregister(struct vm *vm);
bool notifier_active(const struct vm *vm, u64 start, u64 end);

/* host_page.c */
int host_page_fault_in(unsigned long hva, bool write, struct page **page);
bool host_page_walk(struct mm_struct *mm, unsigned long hva, struct host_mapping *host);

/* predictors.c */
void predictors_enter(const struct vm *vm);

/* cpuid.c */
u64 guest_cr4_allowed(void);
void guest_cpuid(struct dune_regs *regs, u64 cr4);

/* statistics.c */
void statistics_load(void);
void statistics_unload(void);
int statistics_create(struct vm *vm);
void statistics_destroy(struct vm *vm);

/* shrinker.c */
int shrinker_setup(void);
void shrinker_teardown(void);
void shrinker_add(struct vm *vm);
void shrinker_remove(struct vm *vm);
unsigned long memory_shrink(struct vm *vm, unsigned long want);

/* tdp.c: all but the first and the last four with mmu_lock held */
unsigned int tdp_gpa_bits(void);
void tdp_map(struct vm *vm, struct tdp_cache *cache, u64 gpa, const struct tdp_leaf *leaf);
void tdp_zap(struct vm *vm, u64 start, u64 end);
u64 tdp_next(struct vm *vm, u64 gpa, u64 end);
bool tdp_age(struct vm *vm, u64 start, u64 end, bool clear);
u64 *tdp_create(void);
void tdp_destroy(u64 *root);
int tdp_cache_fill(struct vm *vm, struct tdp_cache *cache);
void tdp_cache_free(struct tdp_cache *cache);

#endif /* DUNE_HYPERVISOR_H */
