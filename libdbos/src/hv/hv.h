/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor below, whichever it is. This is all the rest of libdbos knows of it.
 *
 * Register and control state travel in the structures of kern/uapi/dune.h. All functions return 0
 * or -errno. run() is called between two pieces of guest code, whose vector registers may be live
 * in the thread: it must not touch them, so it may call no libc and is compiled without them.
 *
 * Guest-physical addresses below 1 GiB are the backend's own.
 */
#ifndef DBOS_HV_H
#define DBOS_HV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uapi/dune.h" /* of kern/ */

enum hv_exit_reason {
	HV_EXIT_AGAIN,		/* nothing to do: run on */
	HV_EXIT_OUT,		/* OUT imm8, EAX to .port; regs->rip is behind it */
	HV_EXIT_FAULT,		/* no memory at .gpa for that access */
	HV_EXIT_HLT,
	/* It can't go on. */
	HV_EXIT_SHUTDOWN,	/* triple fault */
	HV_EXIT_DEAD,		/* a state that the CPU refuses, or an exit nobody knows */
};

/*
 * Ports of the guest's calls are below this, and it makes them by OUT imm8, EAX. Nothing is said of
 * other ports and forms of OUT: a backend may swallow them.
 */
#define HV_PORTS 256

/* The one interrupt there is. */
#define HV_DOORBELL_VECTOR 255

struct hv_exit {
	enum hv_exit_reason reason;
	uint16_t port;
	uint32_t fault_flags;	/* DUNE_FAULT_* */
	uint64_t gpa;
	uint64_t code;		/* of HV_EXIT_DEAD: the hardware's */
	bool registers_lost;	/* of HV_EXIT_SHUTDOWN: they are not the guest's any more */
};

struct hv {
	const struct hv_ops *ops;
	int fd;
	unsigned int gpa_bits;
	unsigned int max_slots;
	unsigned int run_size;
	bool no_gigabyte_pages;	/* in the guest's table, though the CPU has them */
	const char *vendor;
	void *backend;
	char refusal[160];	/* set by open() where -errno alone does not tell why it failed */
};

struct hv_vcpu {
	struct hv *hv;
	int fd;
	struct dune_regs *regs;	/* live between two runs; changed only after exits but AGAIN */
	void *run_page;
	void *backend;
};

struct hv_counters {
	uint64_t entries, faults, tlb_flushes;
};

struct hv_ops {
	const char *name;
	int (*open)(struct hv *hv);
	void (*close)(struct hv *hv);
	/* Slots that were not there, by rising number; vCPUs may run. No libc, as for run(). */
	int (*set_slot)(struct hv *hv, unsigned int slot, uint64_t gpa, uint64_t hva,
			uint64_t size);
	int (*vcpu_open)(struct hv *hv, struct hv_vcpu *vcpu);
	void (*vcpu_close)(struct hv_vcpu *vcpu);
	int (*get_state)(struct hv_vcpu *vcpu, struct dune_state *state);
	int (*set_state)(struct hv_vcpu *vcpu, const struct dune_state *state);
	/*
	 * The thread's vector registers become the guest's, before the first run; the guest's the
	 * thread's, before it goes on outside or has a child that does. NULL: they are the same.
	 */
	int (*vectors_in)(struct hv_vcpu *vcpu);
	int (*vectors_out)(struct hv_vcpu *vcpu);
	int (*run)(struct hv_vcpu *vcpu, struct hv_exit *exit);
	/* Raises exception @vector at the next run. @cr2 counts for vector 14 only. */
	void (*inject)(struct hv_vcpu *vcpu, uint8_t vector, uint32_t error_code, uint64_t cr2);
	/*
	 * Interrupts the vCPU by HV_DOORBELL_VECTOR: from user space of any thread, whatever the
	 * vCPU does; waits for nothing. If it is in guest mode it takes the interrupt at once, or
	 * as soon as its interrupts are on; if not, at its next run. Two may arrive as one, but
	 * none is lost: what the caller did before is seen by the handler.
	 */
	void (*doorbell)(struct hv_vcpu *vcpu);
	int doorbell_signal;	/* must not be blocked in a thread that runs a vCPU; 0: none */
	void (*counters)(const struct hv_vcpu *vcpu, struct hv_counters *counters);
	bool counters_outside;	/* counters() makes system calls: only from user space */
};

extern const struct hv_ops hv_dune_ops;
extern const struct hv_ops hv_kvm_ops;

/* The backend of that name, or all in order of preference; returns how many. */
#define HV_BACKENDS 2
size_t hv_backends(const char *name, const struct hv_ops *chosen[HV_BACKENDS]);

#endif /* DBOS_HV_H */
