// SPDX-License-Identifier: BSD-2-Clause
/*
 * A pool is no part of snapshots: who is on one uses it as it is now, as well as the process does.
 */
#include <unistd.h>

#include <dbos/region.h>
#include <dbos/snapshot.h>

#include "pools.h"

static struct dbos_pool *pool;

/* All pages are what the process has made of them since the cut; and each is written once more. */
static void *use_all(void *arg)
{
	uint64_t *member = arg;

	check(*member == 1, "the member is %lu on the snapshot", *member);
	for (uint64_t page = FIRST; page < END; page++) {
		struct dbos_pool_read read;
		struct dbos_pin pin;

		check_ok(dbos_pool_read(pool, page, &read));
		check(check_page(read.content, page, "on the snapshot") == 1 &&
		      dbos_pool_valid(pool, &read), "page %lu is not as it is", page);
		check_ok(dbos_pool_pin(pool, page, &pin));
		fill_page(pin.content, page, 2);
		dbos_pool_unpin(pool, &pin, true);
	}
	return NULL;
}

static void write_all(uint64_t generation)
{
	for (uint64_t page = FIRST; page < END; page++) {
		struct dbos_pin pin;

		check_ok(dbos_pool_pin(pool, page, &pin));
		check(check_page(pin.content, page, "of the process") == generation - 1,
		      "page %lu is not of generation %lu", page, generation - 1);
		fill_page(pin.content, page, generation);
		dbos_pool_unpin(pool, &pin, true);
	}
}

void a_snapshot_sees_the_pool_as_it_is(void)
{
	struct dbos_region *region;
	struct dbos_region_info info;
	struct dbos_snap *snap;
	uint64_t *member;
	int fd;

	check_ok(dbos_region_create(dbos, NULL, DBOS_HUGE_SIZE, DBOS_HUGE_SIZE,
				    DBOS_REGION_WRITABLE, &region));
	check_ok(dbos_snap_add(dbos, region));
	dbos_region_info(region, &info);
	member = info.base;
	*member = 1;
	pool = new_store(&fd, FRAMES, FRAMES);
	check_ok(dbos_snap_create(dbos, 0, &snap));
	*member = 2;
	write_all(1);
	check_ok(dbos_snap_run(snap, use_all, member, NULL));
	write_all(3);
	check_ok(dbos_snap_release(snap));
	check_ok(dbos_pool_close(pool));
	check(sum_of_file(fd) == 3 * PAGES, "the file has %lu", sum_of_file(fd));
	check_ok(dbos_snap_remove(dbos, region));
	check_ok(dbos_region_destroy(region));
	close(fd);
}
