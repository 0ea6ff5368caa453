/* SPDX-License-Identifier: BSD-2-Clause */
/* What the steps of the program share: see main.c. */
#ifndef SNAPSHOTS_H
#define SNAPSHOTS_H

#include <stdint.h>

#include <dbos/dbos.h>
#include <dbos/snapshot.h>

#include "check.h"

#define PAGE  DBOS_PAGE_SIZE
#define PAGES 1024ul		/* two ranges of 2 MiB */
#define WORDS (PAGE / sizeof(uint64_t))

extern struct dbos *dbos;
extern uint64_t rounds;
extern uint64_t (*pages)[WORDS];	/* the member */
extern unsigned int flags;		/* of dbos_snap_create() */

struct dbos_snap *create(void);

/* The word as the snapshot has it. */
uint64_t word_of(struct dbos_snap *snap, unsigned long page, unsigned long word);

void parts_become_members(void);

/* The steps, in their order. */
void a_snapshot_keeps_what_was_there(void);
void a_cut_is_one_moment(void);
void what_the_host_writes_is_cut_too(void);
void calls_on_a_snapshot_take_its_bytes(void);
void the_process_writes_what_it_has(void);
void a_large_buffer_is_written(void);
void snapshots_make_a_tree(void);
void a_difference_is_what_was_written(void);
void one_copy_for_two_writers(void);
void pages_beside_members_are_common(void);
void memory_stays_flat(void);
void pages_come_home(void);
void the_process_pages_stay(void);
void tables_are_ready(void);		/* of the engine "instant" alone */

#endif /* SNAPSHOTS_H */
