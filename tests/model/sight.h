/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle of T1 and T2: which mappings of a page a vCPU may still see, told from the times at
 * which calls of the product began and ended, and from nothing that the product keeps.
 *
 * A mapping that was replaced is out of sight of a vCPU
 *   - once a synchronous flush of it has returned;
 *   - once the vCPU has begun and ended a quiescent point, or come back from the host, after any
 *     flush of it had returned;
 *   - once the vCPU has flushed it locally after it was replaced.
 */
#ifndef SIGHT_H
#define SIGHT_H

#include <stdbool.h>
#include <stdint.h>

#define SIGHT_PAGES    8
#define SIGHT_MAPPINGS 64
#define SIGHT_CPUS     16
#define NOTHING	       (~0ull)		/* a page's frame while it is not mapped */

/* A page is mapped to @frame from now on at the earliest. Returns the mapping's number. */
unsigned int sight_begin(unsigned int page, uint64_t frame, bool writable);
/* Mapping @number is replaced; then its flush has returned. */
void sight_replaced(unsigned int page, unsigned int number);
void sight_flushed(unsigned int page, unsigned int number, bool sync);

/* A quiescent point of @cpu that began at @began is over; a local flush likewise. */
void sight_quiescent(unsigned int cpu, uint64_t began);
void sight_flushed_locally(unsigned int cpu, unsigned int page, uint64_t began);

/* Fails the schedule unless @cpu may have read @frame behind @page between @began and now. */
void sight_check_read(unsigned int cpu, unsigned int page, uint64_t frame, uint64_t began);

/* Likewise that a write succeeded, or did not. */
void sight_check_write(unsigned int cpu, unsigned int page, bool done, uint64_t began);

void sight_reset(void);

#endif /* SIGHT_H */
