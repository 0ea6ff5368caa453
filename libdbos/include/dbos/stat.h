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
#define DBOS_STAT_VERSION 2
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

/*
 * What the process counts besides, by name, and where: the words themselves are elsewhere in its
 * memory, and are exact at any time. SUM: one number, all words together; several items of one
 * name, one behind the other, are one as well. TIMES: how often something took [2^i, 2^(i+1))
 * cycles of the time-stamp counter, for each i from 0 on.
 */
#define DBOS_STAT_ITEMS 64

enum dbos_stat_kind { DBOS_STAT_SUM, DBOS_STAT_TIMES };

struct dbos_stat_item {
	char name[24];
	uint64_t address;		/* of the first word */
	uint32_t stride, count;		/* bytes from one word to the next; words */
	uint16_t width;			/* bytes of each: 4 or 8 */
	uint16_t kind;
	uint32_t reserved;
};

struct dbos_stat {
	uint64_t magic;
	uint32_t version;		/* another one: other structures */
	uint32_t pid;
	char backend[16];		/* "dune" or "kvm" */
	uint64_t item_count;		/* never fewer than before */
	uint64_t reserved[3];
	struct dbos_stat_vcpu vcpu[DBOS_STAT_VCPUS];
	struct dbos_stat_item item[DBOS_STAT_ITEMS];
};

#endif /* DBOS_STAT_H */
