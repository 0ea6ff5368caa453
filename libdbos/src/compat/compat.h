/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the classic interface know of one another. */
#ifndef DBOS_COMPAT_H
#define DBOS_COMPAT_H

#include <dune.h>

struct dbos;

/* The slots the classic interface is made of; NULL: nobody has registered. */
dune_intr_cb intr_slot(unsigned int vector);
dune_pgflt_cb pgflt_slot(void);

/* A page for each frame of the pool. Once per instance; -ENOMEM. */
int pages_create(const struct dbos *dbos);

/* Maps the pool at its guest-physical addresses, if these can be and are free. -ENOMEM. */
int pool_map_at_own_address(struct dbos *dbos);

/* Of the pool, handed out as a page or not. */
bool pool_has_frame(uint64_t gpa);

/* Makes a system call that no handler sees, from wherever the thread is. */
long compat_syscall(long nr, long a0, long a1, long a2, long a3, long a4, long a5);

#endif /* DBOS_COMPAT_H */
