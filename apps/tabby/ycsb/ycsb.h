/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * YCSB's core workloads A to F, and reads of pages without a tree. Records are loaded in the order
 * of their keys, by one thread: so the tree is the same each time. Thread t of n has the records t,
 * t + n, t + 2n, ... as far as new ones and the latest ones go (D, E): what is asked for follows
 * from seed and thread alone, and is there.
 */
#ifndef TABBY_YCSB_YCSB_H
#define TABBY_YCSB_YCSB_H

#include "driver/run.h"

#define YCSB_TABLE 0

enum ycsb_detail { YCSB_READS, YCSB_UPDATES, YCSB_INSERTS, YCSB_SCANS, YCSB_SCANNED };

/* A thread's, over all phases: how many records it has; what it has done to them. */
struct ycsb_own {
	uint64_t count;
	uint64_t updates, inserts;
};

extern const struct workload ycsb_a, ycsb_b, ycsb_c, ycsb_d, ycsb_e, ycsb_f, ycsb_pages;

/* pick.c: as distributed, one of @count, of which 0 comes most often; one of the records loaded. */
int ycsb_prepare(struct run *run);
void ycsb_end(struct run *run);
uint64_t ycsb_rank(struct worker *worker, uint64_t count);
uint64_t ycsb_pick(struct worker *worker);

/* operation.c */
int ycsb_insert(struct worker *worker, uint64_t id);
int ycsb_read(struct worker *worker, uint64_t id);
/* Writes what it has not read, unless versions are to be counted; reads and writes, as one. */
int ycsb_update(struct worker *worker, uint64_t id);
int ycsb_modify(struct worker *worker, uint64_t id);
int ycsb_insert_next(struct worker *worker);
int ycsb_read_latest(struct worker *worker);
int ycsb_scan(struct worker *worker);

/* check.c */
int ycsb_check(struct run *run, struct session *session);

#endif /* TABBY_YCSB_YCSB_H */
