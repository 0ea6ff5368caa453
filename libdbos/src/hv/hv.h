/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor below, whichever it is. This is all the rest of libdbos knows of it.
 *
 * Register and control state travel in the structures of kern/uapi/dune.h. All functions return 0
 * or -errno. run() is called between two pieces of guest code, whose vector registers are live in
 * the thread: it must not touch them, so it may call no libc and is compiled without them.
 */
#ifndef DBOS_HV_H
#define DBOS_HV_H

#include <stdint.h>

#include "uapi/dune.h" /* of kern/ */

enum hv_exit_reason {
	HV_EXIT_AGAIN,		/* nothing to do: run on */
	HV_EXIT_OUT,		/* OUT to .port; regs->rip is behind it */
	HV_EXIT_FAULT,		/* no memory at .gpa for that access */
	HV_EXIT_HLT,
	HV_EXIT_DEAD,		/* triple fault or a state the CPU refuses: can't go on */
};

struct hv_exit {
	enum hv_exit_reason reason;
	uint16_t port;
	uint32_t fault_flags;	/* DUNE_FAULT_* */
	uint64_t gpa;
	uint64_t code;		/* of HV_EXIT_DEAD: the hardware's */
};

struct hv {
	const struct hv_ops *ops;
	int fd;
	unsigned int gpa_bits;
	unsigned int run_size;
	const char *vendor;
};

struct hv_vcpu {
	struct hv *hv;
	int fd;
	struct dune_regs *regs;	/* live between two runs */
	void *run_page;
};

struct hv_counters {
	uint64_t entries, faults, tlb_flushes;
};

struct hv_ops {
	const char *name;
	int (*open)(struct hv *hv);
	void (*close)(struct hv *hv);
	int (*set_slot)(struct hv *hv, unsigned int slot, uint64_t gpa, uint64_t hva,
			uint64_t size);
	int (*vcpu_open)(struct hv *hv, struct hv_vcpu *vcpu);
	void (*vcpu_close)(struct hv_vcpu *vcpu);
	int (*get_state)(struct hv_vcpu *vcpu, struct dune_state *state);
	int (*set_state)(struct hv_vcpu *vcpu, const struct dune_state *state);
	int (*run)(struct hv_vcpu *vcpu, struct hv_exit *exit);
	/* Raises exception @vector at the next run. @cr2 counts for vector 14 only. */
	void (*inject)(struct hv_vcpu *vcpu, uint8_t vector, uint32_t error_code, uint64_t cr2);
	void (*counters)(const struct hv_vcpu *vcpu, struct hv_counters *counters);
};

extern const struct hv_ops hv_dune_ops;

#endif /* DBOS_HV_H */
