// SPDX-License-Identifier: BSD-2-Clause
/*
 * All records, once more, in order: each is there and its own, and together they have been updated
 * as often as threads were told that an update went well.
 */
#include <errno.h>
#include <inttypes.h>

#include "ycsb/record.h"
#include "ycsb/ycsb.h"

struct sums {
	uint64_t records, loaded, versions, next, most;
	bool is_wrong;
};

static bool add(void *arg, struct key key, const void *value, size_t size)
{
	struct sums *sums = arg;
	struct record record;
	uint64_t id = 0;

	memcpy(&id, key.bytes, key.length < sizeof(id) ? key.length : sizeof(id));
	id = __builtin_bswap64(id);
	if (size != sizeof(record) || id < sums->next) {
		sums->is_wrong = true;
		return false;
	}
	memcpy(&record, value, sizeof(record));
	sums->is_wrong = !record_is_right(&record, id);
	sums->next = id + 1;
	sums->records++;
	sums->loaded += id < sums->most;
	sums->versions += record.version - 1;
	return !sums->is_wrong;
}

static bool matches(const char *what, uint64_t found, uint64_t expected)
{
	if (found != expected)
		fprintf(stderr, "tabby: %" PRIu64 " %s where %" PRIu64 " should be\n", found, what,
			expected);
	return found == expected;
}

int ycsb_check(struct run *run, struct session *session)
{
	struct record_key key = record_key(0);
	struct sums sums = { .most = run->options->records };
	uint64_t updates = 0, inserts = 0;
	int err = run->store->engine->scan(session, YCSB_TABLE, key_from(&key), false, add, &sums);

	if (err)
		return err;
	if (sums.is_wrong) {
		fprintf(stderr, "tabby: the record before %" PRIu64 " is damaged\n", sums.next);
		return -EILSEQ;
	}
	run->versions = sums.versions;
	if (!matches("records of those loaded", sums.loaded, run->options->records))
		return -EILSEQ;
	/* What was done to an opened store before is not known here; but versions only rise. */
	if (!run->options->store.create)
		return 0;
	for (unsigned int i = 0; i < run->options->threads; i++) {
		const struct ycsb_own *own = run->worker[i].state;

		updates += own->updates;
		inserts += own->inserts;
	}
	if (!matches("updates", sums.versions, updates) ||
	    !matches("records", sums.records, run->options->records + inserts))
		return -EILSEQ;
	return 0;
}
