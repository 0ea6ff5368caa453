/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the number of a vCPU to the vCPU, for those who interrupt it. It may be about to go: whoever
 * rings counts himself in first, and the vCPU stays until nobody is left who may have found it.
 */
#ifndef DBOS_DOORBELL_H
#define DBOS_DOORBELL_H

#include <stdint.h>

struct dbos;
struct vcpu;

struct doorbell {
	uint64_t ringers;
	uint64_t tick;		/* it rings for the timer too */
	struct vcpu *vcpu;	/* NULL: there is none of that number, and nobody wants an answer */
};

/* From user space, of whatever thread. */
void doorbell_ring(struct dbos *dbos, unsigned int number);

/* The vCPU's thread lets the signal through that the backend rings with, if it does. */
void doorbell_unblock(const struct vcpu *vcpu);

/* By the vCPU's thread, in user space: before others can mean it; once it won't run any more. */
void doorbell_install(struct dbos *dbos, unsigned int number, struct vcpu *vcpu);
void doorbell_remove(struct dbos *dbos, unsigned int number);

#endif /* DBOS_DOORBELL_H */
