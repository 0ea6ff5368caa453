/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the KVM backend: its virtual machine, its vCPUs, and what its parts ask of each other.
 *
 *	kvm.c		the device, what it must be able to do, memory slots
 *	kvm_vcpu.c	vCPUs and their state, and the store of those that nobody uses
 *	kvm_vectors.c	vector registers, in and out
 *	kvm_doorbell.c	interrupts from other threads
 *	kvm_stats.c	counters
 *	kvm_run.c	KVM_RUN and what its exits mean
 *	kvm_probe.c	which access made KVM_RUN fail with EFAULT
 *	kvm_delivery.c	the same for what the processor itself accesses
 *	kvm_walk.c	the guest's page table, walked in software
 */
#ifndef DBOS_KVM_H
#define DBOS_KVM_H

#include <pthread.h>
#include <stdbool.h>
#include <linux/kvm.h>

#include "hv/hv.h"

/*
 * Guest-physical addresses below this belong to the backend: mm/windows.c begins here. At the
 * bottom lie pages that KVM itself wants on some Intel CPUs, at the top the probes of all vCPUs.
 */
#define KVM_GPA_END	    (1ull << 30)
#define KVM_GPA_IDENTITY    0x10000ull
#define KVM_GPA_TSS	    0x20000ull
#define KVM_GPA_PROBES(vcpus) (KVM_GPA_END - (vcpus) * PROBE_SIZE)

#define PROBE_PAGES 64
#define PROBE_SIZE  (PROBE_PAGES * 4096ull)

#define KVM_SLOTS_MAX 33	/* the last is the backend's own */
#define KVM_VCPUS_MAX 1024	/* all their probes fit below KVM_GPA_END */

/* struct kvm_xsave, which KVM_SET_XSAVE reads: standard format, at most one page. */
#define KVM_XSAVE_SIZE 4096

struct kvm_slot {
	uint64_t gpa, hva, size;
};

struct kvm {
	int device, vm;
	unsigned int max_vcpus, run_size;
	uint64_t cr4;			/* what a new vCPU has */
	uint64_t xcr0;			/* state components of thread and guest alike */
	struct kvm_cpuid2 *cpuid;	/* all that KVM supports */

	size_t slot_count;		/* published behind the slot */
	struct kvm_slot slots[KVM_SLOTS_MAX];
	char *probes;			/* max_vcpus of PROBE_SIZE, at KVM_GPA_PROBES(max_vcpus) */

	pthread_mutex_t lock;		/* the two below */
	unsigned int vcpu_count;
	struct kvm_vcpu *idle;
};

/* An exception that the next run raises. */
struct kvm_injection {
	bool valid;
	uint8_t vector;
	uint32_t error_code;
	uint64_t cr2;
};

struct kvm_vcpu {
	_Alignas(64) uint8_t xsave[KVM_XSAVE_SIZE];
	struct kvm *vm;
	struct kvm_run *run;
	int fd;
	bool ready;
	/* The run loop may have changed run->s.regs since the last exit. */
	bool regs_changed;
	struct kvm_injection injection;

	uint64_t rung;			/* an interrupt is due */
	uint64_t running;		/* in KVM_RUN, or about to be */
	uint64_t ringers;		/* threads in kvm_doorbell() */

	int stats;			/* KVM_GET_STATS_FD */
	long exits_at, faults_at, flushes_at;	/* where they stand in it */
	struct hv_counters before;	/* what earlier users of this vCPU have counted */

	char *probe;
	uint64_t probe_gpa;

	struct kvm_vcpu *next;		/* in vm->idle */
	long thread;			/* which used it last */
};

static inline struct kvm_vcpu *kvm_vcpu_of(const struct hv_vcpu *vcpu)
{
	return vcpu->backend;
}

/* Raw: no libc, no errno. */
long kvm_ioctl(int fd, unsigned long request, void *argument);

/* kvm_vcpu.c */
int kvm_vcpu_open(struct hv *hv, struct hv_vcpu *vcpu);
void kvm_vcpu_close(struct hv_vcpu *vcpu);
void kvm_vcpus_free(struct kvm *vm);
int kvm_get_state(struct hv_vcpu *vcpu, struct dune_state *state);
int kvm_set_state(struct hv_vcpu *vcpu, const struct dune_state *state);
/* kvm_vectors.c */
int kvm_vectors_in(struct hv_vcpu *vcpu);
int kvm_vectors_out(struct hv_vcpu *vcpu);

/* kvm_doorbell.c */
#define KVM_DOORBELL_SIGNAL 64		/* the last there is */
int kvm_doorbell_prepare(void);
void kvm_doorbell(struct hv_vcpu *vcpu);
/* Around KVM_RUN. @exception: one is to be raised, and goes first. 0 or -errno. */
long kvm_doorbell_before_run(struct kvm_vcpu *vcpu, bool exception);
void kvm_doorbell_after_run(struct kvm_vcpu *vcpu);

/* kvm_stats.c */
int kvm_stats_open(struct kvm_vcpu *vcpu);
void kvm_counters(const struct hv_vcpu *vcpu, struct hv_counters *counters);

/* kvm_run.c */
int kvm_run(struct hv_vcpu *vcpu, struct hv_exit *exit);
void kvm_inject(struct hv_vcpu *vcpu, uint8_t vector, uint32_t error_code, uint64_t cr2);
/* KVM_RUN, with registers going in if they may have changed. 0 or -errno. */
long kvm_run_once(struct kvm_vcpu *vcpu);
/* What it came back for. */
int kvm_understand(struct kvm_vcpu *vcpu, struct hv_exit *exit);

/* kvm_walk.c: DUNE_FAULT_* and KVM_ACCESS_USER say what kind of access it is to be. */
#define KVM_ACCESS_USER (1u << 31)

enum kvm_walk {
	KVM_WALK_OK,		/* *gpa is what the access reaches */
	KVM_WALK_GUEST_FAULT,	/* the table forbids it: the guest's own page fault */
	KVM_WALK_TABLE_LOST,	/* *gpa: a table that can't be read */
};

struct kvm_reach {
	uint64_t gpa;
	bool user;		/* user mode may go there */
};

enum kvm_walk kvm_walk(const struct kvm *vm, const struct kvm_sregs *sregs, uint64_t va,
		       uint32_t access, struct kvm_reach *to);
/* The process's address behind @gpa; false where no slot is. */
bool kvm_gpa_to_hva(const struct kvm *vm, uint64_t gpa, uint64_t *hva);
/* The process itself may read (or write) the page at @hva; it is there afterwards. */
bool kvm_accessible(uint64_t hva, bool write);

/* kvm_probe.c: prepares a vCPU's probe, in its zeroed memory; then finds out. */
void kvm_probe_init(struct kvm_vcpu *vcpu);
/* After KVM_RUN has failed with EFAULT, or has met an instruction it can't emulate. */
int kvm_probe(struct kvm_vcpu *vcpu, bool delivering, struct hv_exit *exit);

/*
 * kvm_delivery.c: was the guest about to take an exception or interrupt, and is what that takes out
 * of reach? 1: *exit says what; 0: no; or -errno.
 */
int kvm_delivery_fault(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs, struct hv_exit *exit);

#endif /* DBOS_KVM_H */
