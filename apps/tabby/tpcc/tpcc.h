/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TPC-C: five transactions in the mix of clause 5.2.3, without terminals and think times.
 *
 * Scale: below a warehouse, customers of a district, orders and items are the specification's
 * cardinalities times --scale; 10 districts, always. What draws from them is scaled with them, so
 * that a hot customer is as hot. With --scale 1 all is as specified (clauses 1.2.1, 4.3.3).
 *
 * Concurrency: one lock for each warehouse. A transaction takes those of all warehouses that it
 * names, in their order, and holds them until it has committed; so transactions are serializable,
 * whatever the engine offers. Items never change. New-Order looks up all items before it changes
 * anything: the one in a hundred that is rolled back (clause 2.4.1.4) has nothing to undo. One that
 * fails, because a transfer did, is not undone.
 *
 * A thread's own warehouses are every n-th, n being the number of threads.
 */
#ifndef TABBY_TPCC_TPCC_H
#define TABBY_TPCC_TPCC_H

#include "driver/run.h"
#include "tpcc/schema.h"

struct tpcc {
	uint32_t warehouses, customers, items, names;
	uint32_t customer_or, item_or, name_or;	/* "A" of NURand, clause 2.1.6 */
	uint32_t customer_c, item_c, name_c;
	pthread_mutex_t *lock;		/* of warehouse 1 and on */
};

enum tpcc_detail { NEW_ORDERS, PAYMENTS, ORDER_STATUSES, DELIVERIES, STOCK_LEVELS, ROLLED_BACK };

extern const struct workload tpcc;

static inline const struct tpcc *tpcc_of(const struct worker *worker)
{
	return worker->run->state;
}

/* draw.c: both ends included. */
uint32_t tpcc_uniform(struct worker *worker, uint32_t from, uint32_t to);
uint32_t tpcc_customer(struct worker *worker);
uint32_t tpcc_item(struct worker *worker);
/* A last name as running transactions draw it, and the one of a number. */
void tpcc_last_name(struct worker *worker, char *name);
void tpcc_name_of(uint32_t number, char *name);
uint32_t tpcc_home(struct worker *worker);
/* Any other warehouse, or the only one. */
uint32_t tpcc_other(struct worker *worker, uint32_t home);
/* Letters and digits. */
void tpcc_text(struct worker *worker, char *text, size_t size);
/* Something that rises, in place of a date. */
uint64_t tpcc_now(const struct worker *worker);

/* table.c: keys, and the worker's engine. -EILSEQ: the record has another size. */
struct number_key numbers(uint32_t count, ...);
int tpcc_insert(struct worker *worker, enum table table, const struct number_key *key,
		const void *record, size_t size);
int tpcc_get(struct worker *worker, enum table table, const struct number_key *key, void *record,
	     size_t size);
int tpcc_change(struct worker *worker, enum table table, const struct number_key *key,
		tree_change_fn change, void *arg);
int tpcc_delete(struct worker *worker, enum table table, const struct number_key *key);
int tpcc_scan(struct worker *worker, enum table table, const struct number_key *key, bool down,
	      store_visit_fn visit, void *arg);
/* Number @i of a key that was scanned; it begins with all @count numbers of the other. */
uint32_t key_number(struct key key, unsigned int i);
bool key_begins(struct key key, const struct number_key *with, unsigned int count);

/* customer.c: the middle one of those with that last name, by first name (2.5.2.2); -ENOENT. */
int tpcc_find_customer(struct worker *worker, uint32_t warehouse, uint32_t district,
		       const char *last, uint32_t *customer);
int tpcc_insert_name(struct worker *worker, uint32_t warehouse, uint32_t district,
		     uint32_t customer, const struct customer *record);
/* 60 of 100 by name, the others by number (2.5.1.2). */
int tpcc_draw_customer(struct worker *worker, uint32_t warehouse, uint32_t district,
		       uint32_t *customer);

/* lock.c: a transaction from its locks to its commit. */
struct warehouses {
	uint32_t number[LINES_MAX + 1];
	unsigned int count;
};

void warehouses_add(struct warehouses *warehouses, uint32_t number);
int tpcc_begin(struct worker *worker, const struct warehouses *warehouses, bool writes);
/* Commits unless @err, and unlocks; returns @err, or the commit's. */
int tpcc_end(struct worker *worker, const struct warehouses *warehouses, int err);

int tpcc_load(struct worker *worker);
int tpcc_new_order(struct worker *worker);
int tpcc_payment(struct worker *worker);
int tpcc_order_status(struct worker *worker);
int tpcc_delivery(struct worker *worker);
int tpcc_stock_level(struct worker *worker);
int tpcc_check(struct run *run, struct session *session);

#endif /* TABBY_TPCC_TPCC_H */
