/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a privileged process has done so far, for others to read while it runs: `dbos stat` does.
 *
 * It is a private mapping of the process, named DBOS_STAT_MAPPING in /proc/PID/maps and read
 * through /proc/PID/mem by whoever may trace it; nothing stops for that. A process that was forked
 * has copies of its parent's, so the one with its own pid counts, as its own PID namespace has it.
 *
 * Words are written by the thread that owns the vCPU, by plain stores at each exit from the guest,
 * so they are exact as of its last one. They count for the vCPU's number, through all threads that
 * have had it, since dbos_init().
 */
#ifndef DBOS_STAT_H
#define DBOS_STAT_H

#include <stdint.h>

#define DBOS_STAT_MAPPING "/memfd:dbos-stat"
#define DBOS_STAT_MAGIC	  0x74617473736f6264ull	/* "dbosstat" */
#define DBOS_STAT_VERSION 1
#define DBOS_STAT_VCPUS	  256

/* Only the hypervisor knows, and can't be asked cheaply: KVM. */
#define DBOS_STAT_UNKNOWN (~0ull)

struct dbos_stat_vcpu {
	uint64_t tid;			/* who has this number; 0: nobody */
	uint64_t exits;			/* returns from the guest to the run loop */
	uint64_t faults;		/* second-level faults the hypervisor resolved */
	uint64_t syscalls;		/* finished ones */
	uint64_t flushed_pages;		/* by INVLPG, for libdbos */
	uint64_t flushes;		/* of everything, for libdbos */
	uint64_t interrupts;		/* sent to other vCPUs, to have them flush */
	uint64_t frames;		/* of the pool, now in this vCPU's own lists */
};

struct dbos_stat {
	uint64_t magic;
	uint32_t version;		/* another one: other structures */
	uint32_t pid;
	char backend[16];		/* "dune" or "kvm" */
	uint64_t reserved[4];
	struct dbos_stat_vcpu vcpu[DBOS_STAT_VCPUS];
};

#endif /* DBOS_STAT_H */
