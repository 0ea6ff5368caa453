/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page table of ring 3: what it was granted, with DBOS_PTE_U, and without it what the way back
 * to ring 0 needs. No memory of the process else is in it, so ring 0 needs no protection from what
 * ring 3 may touch (SMEP, SMAP): it never runs on this table but for that way.
 */
#ifndef DBOS_SPACE_H
#define DBOS_SPACE_H

#include <stdint.h>

#include "cpu/cpus.h"
#include "mm/table.h"

struct dbos;
struct vcpu;

struct space {
	struct dbos *dbos;
	struct table table;
	/* The vCPUs that can come back from it: of the number, the one that had it then. */
	struct vcpu *vcpu[CPUS_MAX];
};

/* -ENOMEM. */
int space_create(struct dbos *dbos, struct space *space);

/* No vCPU is in it. */
void space_destroy(struct space *space);

/* By pages; flags: of DBOS_PTE_W and DBOS_PTE_NX. Errors as for dbos_user_grant(). */
int space_grant(struct space *space, uint64_t va, uint64_t pages, uint64_t flags);
int space_revoke(struct space *space, uint64_t va, uint64_t pages);

/* Before @vcpu, the caller's own, goes there. -ENOMEM. */
int space_add_vcpu(struct space *space, struct vcpu *vcpu);

#endif /* DBOS_SPACE_H */
