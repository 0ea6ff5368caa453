// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "ycsb/record.h"
#include "ycsb/ycsb.h"

#define SCAN_MAX 100

static void count(struct worker *worker, enum ycsb_detail detail, uint64_t by)
{
	worker->detail[detail] += by;
}

static int result(struct worker *worker, int err)
{
	if (err != -ENOENT)
		return err < 0 ? err : 0;
	worker->missing++;
	return 0;
}

int ycsb_insert(struct worker *worker, uint64_t id)
{
	struct record_key key = record_key(id);
	struct record record;

	record_make(&record, id, 1);
	return worker->run->store->engine->insert(worker->session, YCSB_TABLE, key_from(&key),
						  &record, sizeof(record));
}

int ycsb_read(struct worker *worker, uint64_t id)
{
	struct record_key key = record_key(id);
	struct record record;
	int size = worker->run->store->engine->lookup(worker->session, YCSB_TABLE, key_from(&key),
						      &record, sizeof(record));

	count(worker, YCSB_READS, 1);
	if (size >= 0 && (size != sizeof(record) ||
			  (worker->run->options->check && !record_is_right(&record, id))))
		return -EILSEQ;
	return result(worker, size);
}

struct change {
	uint64_t id;
	bool checks, is_wrong;
};

static void raise_version(void *arg, void *value, size_t size)
{
	struct change *change = arg;
	struct record record;

	change->is_wrong = size != sizeof(record);
	if (change->is_wrong)
		return;
	memcpy(&record, value, sizeof(record));
	if (change->checks && !record_is_right(&record, change->id))
		change->is_wrong = true;
	record_make(&record, change->id, record.version + 1);
	memcpy(value, &record, sizeof(record));
}

int ycsb_modify(struct worker *worker, uint64_t id)
{
	struct record_key key = record_key(id);
	struct change change = { .id = id, .checks = worker->run->options->check };
	int err = worker->run->store->engine->change(worker->session, YCSB_TABLE, key_from(&key),
						     raise_version, &change);

	count(worker, YCSB_UPDATES, !err);
	((struct ycsb_own *)worker->state)->updates += !err;
	return change.is_wrong ? -EILSEQ : result(worker, err);
}

int ycsb_update(struct worker *worker, uint64_t id)
{
	struct record_key key = record_key(id);
	struct record record;
	int err;

	if (worker->run->options->check)
		return ycsb_modify(worker, id);
	record_make(&record, id, random_next(&worker->random));
	err = worker->run->store->engine->replace(worker->session, YCSB_TABLE, key_from(&key),
						  &record, sizeof(record));
	count(worker, YCSB_UPDATES, !err);
	return result(worker, err);
}

static uint64_t own_record(const struct worker *worker, uint64_t n)
{
	return n * worker->run->options->threads + worker->index;
}

/* What an earlier run has inserted is there already. */
int ycsb_insert_next(struct worker *worker)
{
	struct ycsb_own *own = worker->state;
	int err;

	do
		err = ycsb_insert(worker, own_record(worker, own->count));
	while (err == -EEXIST && !worker->run->options->store.create && ++own->count);
	if (!err) {
		own->count++;
		own->inserts++;
	}
	count(worker, YCSB_INSERTS, !err);
	return err;
}

int ycsb_read_latest(struct worker *worker)
{
	uint64_t count = ((struct ycsb_own *)worker->state)->count;

	if (!count)
		return 0;
	return ycsb_read(worker, own_record(worker, count - 1 - ycsb_rank(worker, count)));
}

struct scan {
	uint64_t left, seen, next;
	bool checks, is_wrong;
};

static bool visit(void *arg, struct key key, const void *value, size_t size)
{
	struct scan *scan = arg;
	struct record record;
	uint64_t id;

	if (key.length != sizeof(id) || size != sizeof(record)) {
		scan->is_wrong = true;
		return false;
	}
	memcpy(&id, key.bytes, sizeof(id));
	memcpy(&record, value, sizeof(record));
	id = __builtin_bswap64(id);
	if (scan->checks && (id < scan->next || !record_is_right(&record, id)))
		scan->is_wrong = true;
	scan->next = id + 1;
	scan->seen++;
	return --scan->left && !scan->is_wrong;
}

int ycsb_scan(struct worker *worker)
{
	uint64_t id = ycsb_pick(worker);
	struct record_key key = record_key(id);
	struct scan scan = {
		.left = 1 + random_below(&worker->random, SCAN_MAX), .next = id,
		.checks = worker->run->options->check,
	};
	int err = worker->run->store->engine->scan(worker->session, YCSB_TABLE, key_from(&key),
						   false, visit, &scan);

	count(worker, YCSB_SCANS, !err);
	count(worker, YCSB_SCANNED, scan.seen);
	return scan.is_wrong ? -EILSEQ : err;
}
