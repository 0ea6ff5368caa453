/* SPDX-License-Identifier: BSD-2-Clause */
/* One privileged process: what libdbos keeps of it. */
#ifndef DBOS_INTERNAL_H
#define DBOS_INTERNAL_H

#include <pthread.h>

#include "cpu/handlers.h"
#include "cpu/vcpu.h"
#include "hv/hv.h"
#include "mm/windows.h"

struct dbos {
	struct hv hv;
	struct windows windows;
	struct idt_gate *idt;

	pthread_mutex_t lock;		/* the page-table frames, the list of vCPUs */
	uint64_t *root;			/* top of the page table all vCPUs share */
	uint64_t cr3;			/* its guest-physical address */
	char *frames, *frames_end;	/* zeroed pages for more of it */
	struct vcpu *vcpus;

	struct handlers handlers;
	bool gigabyte_pages;
};

#endif /* DBOS_INTERNAL_H */
