/* SPDX-License-Identifier: BSD-2-Clause */
/* One privileged process: what libdbos keeps of it. */
#ifndef DBOS_INTERNAL_H
#define DBOS_INTERNAL_H

#include <pthread.h>

#include "cpu/cpus.h"
#include "cpu/doorbell.h"
#include "cpu/handlers.h"
#include "cpu/timer.h"
#include "cpu/vcpu.h"
#include "hv/hv.h"
#include "mm/index.h"
#include "mm/inflight.h"
#include "mm/table.h"
#include "mm/windows.h"
#include "sys/unknown.h"

struct snappy;

struct dbos {
	struct hv hv;
	struct windows windows;
	struct idt_gate *idt;

	pthread_mutex_t lock;		/* the list of vCPUs */
	struct vcpu *vcpus;
	struct cpus cpus;		/* the same by number */
	struct doorbell doorbells[CPUS_MAX];
	struct timers timers;
	struct frames frames;		/* for page tables */
	struct table table;		/* the one that all vCPUs share */
	uint64_t cr3;			/* its guest-physical address */
	uint64_t growth;		/* a lock: a window is being added (mm/cover.c) */
	struct index regions;
	pthread_mutex_t region_lock;	/* their writers */
	bool table_edited;		/* the program may have changed an entry of it */
	struct inflights inflights;	/* system calls that look it up */
	struct snappy *snappy;		/* NULL: no memory is a member of snapshots */

	struct dbos_stat *stat;		/* what others read */
	struct handlers handlers;
	struct handler reach;		/* in it, for addresses without a window */
	struct unknown_calls unknown;
	bool gigabyte_pages;
};

/* On top of guest code, whose vCPU counts as inside: it would wait for itself. */
static inline bool in_signal_handler(void)
{
	return !machine_in_guest() && dbos_inside();
}

#endif /* DBOS_INTERNAL_H */
