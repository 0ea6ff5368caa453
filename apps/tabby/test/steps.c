// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "test/steps.h"

/* True if it went well, and false if it failed as it may; @expected: what it had to be. */
static bool as_expected(struct walker *walker, const char *what, unsigned int rank, int result,
			int expected)
{
	if ((result == -EIO || result == -ENOSPC) && walker->may_fail) {
		walker->failures++;
		return false;
	}
	if (result != expected)
		fail("%s of key %u: %d, not %d", what, rank, result, expected);
	return true;
}

static void insert(struct walker *walker, unsigned int rank)
{
	struct oracle *oracle = &walker->test->oracle;
	char value[NODE_VALUE_MAX];
	uint64_t version = 1 + next_random(&walker->random) % 1000;
	size_t size = oracle_value(rank, version, value);
	bool there = oracle->version[rank];
	int err = tree_insert(&walker->test->tree, key_of(&oracle->key[rank]), value, size);

	if (as_expected(walker, "insertion", rank, err, there ? -EEXIST : 0) && !there)
		oracle->version[rank] = version;
}

static void drop(struct walker *walker, unsigned int rank)
{
	struct oracle *oracle = &walker->test->oracle;
	int err = tree_remove(&walker->test->tree, key_of(&oracle->key[rank]));

	if (as_expected(walker, "removal", rank, err, oracle->version[rank] ? 0 : -ENOENT))
		oracle->version[rank] = 0;
}

struct change {
	unsigned int rank;
	uint64_t expected, version;
};

static void change(void *arg, void *value, size_t size)
{
	struct change *change = arg;

	if (oracle_check(change->rank, value, size) != change->expected)
		fail("key %u was not as it was left", change->rank);
	oracle_value(change->rank, change->version, value);
}

static void update(struct walker *walker, unsigned int rank)
{
	struct oracle *oracle = &walker->test->oracle;
	struct change arg = {
		.rank = rank, .expected = oracle->version[rank],
		.version = 1 + next_random(&walker->random) % 1000,
	};
	int err = tree_update(&walker->test->tree, key_of(&oracle->key[rank]), change, &arg);

	if (as_expected(walker, "update", rank, err, arg.expected ? 0 : -ENOENT) && arg.expected)
		oracle->version[rank] = arg.version;
}

static bool is_own(const struct walker *walker, unsigned int rank)
{
	return rank % walker->stride == walker->first;
}

static void look_up(struct walker *walker, unsigned int rank)
{
	struct oracle *oracle = &walker->test->oracle;
	char value[NODE_VALUE_MAX], expected[NODE_VALUE_MAX];
	int size = tree_lookup(&walker->test->tree, key_of(&oracle->key[rank]), value,
			       sizeof(value));

	if (!is_own(walker, rank)) {
		if (size >= 0)
			oracle_check(rank, value, size);
		return;
	}
	if (!as_expected(walker, "lookup", rank, size,
			 oracle->version[rank] ?
				 (int)oracle_value(rank, oracle->version[rank], expected) :
				 -ENOENT))
		return;
	if (size >= 0 && oracle_check(rank, value, size) != oracle->version[rank])
		fail("lookup of key %u: another version", rank);
}

/* Of the walker's keys, those from @rank up to @end have to be absent: a scan has not seen them. */
static void check_gap(const struct walker *walker, unsigned int rank, unsigned int end)
{
	for (; rank < end; rank++) {
		if (is_own(walker, rank) && walker->test->oracle.version[rank])
			fail("a scan has not seen key %u", rank);
	}
}

static unsigned int check_entry(struct walker *walker)
{
	const struct oracle *oracle = &walker->test->oracle;
	size_t size;
	const void *value = cursor_value(&walker->cursor, &size);
	unsigned int rank = oracle_rank(oracle, cursor_key(&walker->cursor));
	uint64_t version = oracle_check(rank, value, size);

	if (is_own(walker, rank) && version != oracle->version[rank])
		fail("a scan has seen key %u in another version", rank);
	return rank;
}

static void scan(struct walker *walker, unsigned int rank)
{
	struct oracle *oracle = &walker->test->oracle;
	unsigned int left = 1 + next_random(&walker->random) % 40, next = rank;
	int err = cursor_seek(&walker->cursor, &walker->test->tree, key_of(&oracle->key[rank]));

	while (!err && left--) {
		rank = check_entry(walker);
		if (rank < next)
			fail("a scan went back from %u to %u", next, rank);
		check_gap(walker, next, rank);
		next = rank + 1;
		err = cursor_next(&walker->cursor);
	}
	if (err && as_expected(walker, "scan", rank, err, -ENOENT))
		check_gap(walker, next, oracle->count);
}

static void scan_back(struct walker *walker, unsigned int rank)
{
	struct oracle *oracle = &walker->test->oracle;
	unsigned int left = 1 + next_random(&walker->random) % 40, end = rank + 1;
	int err = cursor_seek_back(&walker->cursor, &walker->test->tree,
				   key_of(&oracle->key[rank]));

	while (!err && left--) {
		rank = check_entry(walker);
		if (rank >= end)
			fail("a scan backwards went from %u to %u", end, rank);
		check_gap(walker, rank + 1, end);
		end = rank;
		err = cursor_previous(&walker->cursor);
	}
	if (err && as_expected(walker, "scan backwards", rank, err, -ENOENT))
		check_gap(walker, 0, end);
}

/* A key that is the walker's own, near the last one now and then, so that pages come and go. */
static unsigned int own_key(struct walker *walker)
{
	unsigned int count = walker->test->oracle.count / walker->stride;
	uint64_t random = next_random(&walker->random) >> 20;

	if (walker->made / (walker->test->tide / 4) % 2)
		return (walker->made % count) * walker->stride + walker->first;
	return random % count * walker->stride + walker->first;
}

void steps(struct test *test, struct walker *walker, unsigned int count)
{
	walker->test = test;
	while (count--) {
		unsigned int what = (next_random(&walker->random) >> 40) % 100;
		unsigned int own = own_key(walker);
		unsigned int any = (next_random(&walker->random) >> 20) % test->oracle.count;
		bool rising = walker->made++ / test->tide % 2 == 0;

		if (what < 57)
			rising ? insert(walker, own) : drop(walker, own);
		else if (what < 60)
			rising ? drop(walker, own) : insert(walker, own);
		else if (what < 75)
			update(walker, own);
		else if (what < 95)
			look_up(walker, what % 2 ? own : any);
		else if (what < 98)
			scan(walker, any);
		else
			scan_back(walker, any);
	}
}
