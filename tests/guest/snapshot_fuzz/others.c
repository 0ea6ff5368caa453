// SPDX-License-Identifier: BSD-2-Clause
/* What goes on beside snapshots: memory that is no member, threads that come and go. */
#include <pthread.h>

#include "fuzz.h"

#define STEP	(16 * PAGE)
#define RESERVE (32 * STEP)

static struct dbos_region *create(size_t size, size_t reserve, char **base)
{
	struct dbos_region *region;
	struct dbos_region_info info;

	check_ok(dbos_region_create(dbos, NULL, size, reserve, DBOS_REGION_WRITABLE, &region));
	dbos_region_info(region, &info);
	*base = info.base;
	return region;
}

bool make_region(struct worker *worker)
{
	size_t size = (1 + draw(worker, 600)) * PAGE;
	struct dbos_region *region;
	char *base;

	region = create(size, size, &base);
	for (size_t at = 0; at < size; at += 7 * PAGE)
		base[at] = worker->number + 1;
	for (size_t at = 0; at < size; at += 7 * PAGE)
		check(base[at] == (char)(worker->number + 1), "a region has lost a write");
	check_ok(dbos_region_destroy(region));
	return true;
}

/* Each page has its number; the attached look there too. */
bool grow_region(struct worker *worker)
{
	size_t size = worker->size + STEP;

	if (size > RESERVE) {
		worker->size = 0;
		check_ok(dbos_region_destroy(worker->growing));
		worker->growing = NULL;
		return true;
	}
	if (worker->growing)
		check_ok(dbos_region_grow(worker->growing, size));
	else
		worker->growing = create(size, RESERVE, &worker->grown);
	for (size_t at = worker->size; at < size; at += PAGE)
		worker->grown[at] = at / PAGE;
	worker->size = size;
	return true;
}

bool enter_or_leave(struct worker *worker)
{
	check_ok(worker->inside ? dbos_leave() : dbos_enter());
	worker->inside = !worker->inside;
	return true;
}

/* Every other one ends inside. */
static void *come_and_go(void *leaves)
{
	struct dbos_snap *snap;

	check_ok(dbos_enter());
	check_ok(dbos_snap_create(dbos, 0, &snap));
	check_ok(dbos_snap_release(snap));
	if (leaves)
		check_ok(dbos_leave());
	return NULL;
}

bool make_thread(struct worker *worker)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, come_and_go, draw(worker, 2) ? worker : NULL) == 0,
	      "pthread_create");
	check(pthread_join(thread, NULL) == 0, "pthread_join");
	return true;
}
