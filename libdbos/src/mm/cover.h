/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reach that grows on demand: memory that the process has mapped far from where the windows were
 * laid out gets one when it is first met.
 *
 * Met is what the guest touches there: its table has nothing for it, so that is a page fault, which
 * libdbos sees before the program's handlers do. If the host has something mapped at the address, a
 * window is added around it and the access repeated; if not, it is a fault like any other. So it
 * does not matter who has mapped it, inside or outside, and when.
 */
#ifndef DBOS_COVER_H
#define DBOS_COVER_H

#include <stddef.h>
#include <stdint.h>

#include "mm/windows.h"

struct dbos;

/* The oldest handler of all: to be asked first. */
void cover_init(struct dbos *dbos);

/*
 * Makes windows for all of [va, va + size) that is in none yet. -EFAULT: the process has nothing
 * mapped at a page that would begin one; -ENOSPC: no slot or no guest-physical space left, -ENOMEM:
 * no frame for a table, or no memory for a slot. What is covered stays so. From anywhere but signal
 * handlers of threads that are inside, and under a spinlock or with an entry locked.
 */
int cover(struct dbos *dbos, uint64_t va, uint64_t size);

/* No window is added in between; returns what to give to cover_unlock(). */
uint64_t cover_lock(struct dbos *dbos);
void cover_unlock(struct dbos *dbos, uint64_t irqs);

/* PORT_COVER: what only the host can do of it. */
struct cover_request {
	uint64_t va;
	struct window window;
	unsigned int slot;
	int result;
};

void cover_in_host(struct dbos *dbos, struct cover_request *request);

#endif /* DBOS_COVER_H */
