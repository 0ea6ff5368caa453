// SPDX-License-Identifier: BSD-2-Clause
/*
 * pools KIND FILE ROUNDS SEED: what a pool of KIND (mmu, hash, madvise) promises; B1 to B8 but for
 * B4, which is the model's. MMU is inside, on the backend of the environment; the others are
 * ordinary programs. A line for each, then "pools: ok".
 *
 * pools KIND FILE ROUNDS SEED EVICTIONS: that many evictions, and no more.
 */
#include "pools.h"

enum dbos_pool_kind kind;
struct dbos *dbos;
const char *path;
uint64_t rounds;
struct random random_;

static const struct {
	const char *name;
	void (*run)(void);
	bool inside;		/* makes sense there only */
} tests[] = {
	{ "updates", updates_are_kept, false },
	{ "evicted", what_was_evicted_is_not_valid, false },
	{ "stale", who_is_stale_repairs, false },
	{ "errors", errors_lose_nothing, false },
	{ "cut", a_power_cut_is_survived, false },
	{ "resize", frames_come_and_go, false },
	{ "snapshot", a_snapshot_sees_the_pool_as_it_is, true },
	{ "misuse", misuse_is_refused, false },
};

static enum dbos_pool_kind kind_of(const char *name)
{
	static const char *const names[] = {
		[DBOS_POOL_MMU] = "mmu", [DBOS_POOL_HASH] = "hash", [DBOS_POOL_MADVISE] = "madvise",
	};

	for (int i = DBOS_POOL_MMU; i <= DBOS_POOL_MADVISE; i++) {
		if (strcmp(names[i], name) == 0)
			return i;
	}
	check(false, "no kind %s", name);
	return 0;
}

static void evict_so_many(uint64_t evictions)
{
	struct dbos_pool_stats stats;
	struct dbos_pool *pool;
	uint64_t writes;
	int fd;

	pool = new_store(&fd, FRAMES, FRAMES);
	users_begin(pool, UINT64_MAX);
	do {
		dbos_pool_stats(pool, &stats);
		check_ok(dbos_pool_flush(pool));
	} while (stats.evictions < evictions);
	users_tell();
	writes = users_end();
	check_frames(pool);
	dbos_pool_stats(pool, &stats);
	check_ok(dbos_pool_close(pool));
	check(sum_of_file(fd) == writes, "%lu writes are %lu in the file", writes,
	      sum_of_file(fd));
	printf("evictions: %lu\nrepairs: %lu\n", stats.evictions, stats.repairs);
}

int main(int argc, char **argv)
{
	check(argc == 5 || argc == 6, "pools KIND FILE ROUNDS SEED [EVICTIONS]");
	setvbuf(stdout, NULL, _IOLBF, 0);
	kind = kind_of(argv[1]);
	path = argv[2];
	rounds = strtoul(argv[3], NULL, 0);
	random_.state = strtoul(argv[4], NULL, 0);
	if (kind == DBOS_POOL_MMU) {
		check_ok(dbos_init());
		dbos = dbos_instance();
		check_ok(dbos_enter());
	}
	if (argc == 6)
		evict_so_many(strtoul(argv[5], NULL, 0));
	for (size_t i = 0; argc == 5 && i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (tests[i].inside && !dbos)
			continue;
		tests[i].run();
		printf("%s: ok\n", tests[i].name);
	}
	if (dbos)
		check_ok(dbos_leave());
	printf("pools: ok\n");
	return 0;
}
