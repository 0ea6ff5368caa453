/* SPDX-License-Identifier: BSD-2-Clause */
/* A property of the memory layer, tried on one schedule of the model after the other. */
#ifndef PROPERTY_H
#define PROPERTY_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/model/model.h"
#include "mm/table.h"

struct property {
	const char *name, *what;
	/* Sets up the schedule: fixture_begin(), vCPUs. Then it runs. */
	void (*begin)(uint64_t seed);
	/* When all vCPUs are through; calls model_fail(). NULL: nothing to look at. */
	void (*end)(void);
};

extern const struct property remap_property;
extern const struct property host_property;
extern const struct property calls_property;
extern const struct property reuse_property;
extern const struct property index_property;
extern const struct property snapshot_property;
extern const struct property oldest_property;
extern const struct property settle_property;
extern const struct property filled_property;
extern const struct property left_property;
extern const struct property raced_property;
extern const struct property pool_property;
extern const struct property failing_property;
extern const struct property resized_property;

/* What stands on the model: the product's own structures. */
extern struct cpus cpus;
extern struct frames frames;
extern struct table table;

/* Frames that are handed out are looked at (views.c). A new schedule begins without. */
extern bool frames_watched;

/* Frames of the pool, which lies at POOL_GPA; DATA_GPA: memory that is no pool's, 2 MiB-aligned. */
#define POOL_GPA   0x100000ull
#define POOL_MAX   256
#define DATA_GPA   0x200000ull
#define MEMORY     (64ull << 20)
#define STEP_LIMIT 1000000

/* A new schedule: an empty page table, vCPU numbers below @limit, @pool frames. */
void fixture_begin(uint64_t seed, unsigned int limit, unsigned int pool,
		   bool (*fault)(uint64_t va, uint32_t error));
void fixture_add_cpu(unsigned int id, void (*main)(void *arg), void *arg);

/* Into the guest and into the host, as the run loop does. */
void guest_enter(unsigned int id);
void guest_leave(unsigned int id);

/* For good: its number is free afterwards. */
void guest_exit(unsigned int id);

void work(unsigned int most);			/* up to so many idle instructions */
void host_call(unsigned int id, unsigned int most);
uint64_t *data_word(uint64_t gpa);		/* memory as it is, behind the vCPUs' backs */

/* Maps without a flush, before any vCPU runs. */
void map_at_first(uint64_t va, unsigned int level, uint64_t entry);

/* Where vCPUs enter that have to flush; mapped already. Nowhere unless it is said. */
void put_flush_code(uint64_t va, uint64_t gpa);

#define LEAF (DBOS_PTE_P | DBOS_PTE_W)

#endif /* PROPERTY_H */
