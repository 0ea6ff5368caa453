// SPDX-License-Identifier: BSD-2-Clause
/* The public side of snapshots: <dbos/snapshot.h>. */
#include <errno.h>

#include "hv/apart.h"
#include "snappy/engine.h"
#include "snappy/instance.h"
#include "snappy/settle.h"

#define FLAGS (DBOS_SNAP_EPOCH | DBOS_SNAP_INSTANT)

static const struct engine *engine_of(unsigned int flags)
{
	if (flags & DBOS_SNAP_INSTANT)
		return &instant_engine;
	return flags & DBOS_SNAP_EPOCH ? &epoch_engine : &lazy_engine;
}

static int create(struct dbos *dbos, struct branch *parent, unsigned int flags,
		  struct dbos_snap **out)
{
	struct snappy *snappy = dbos->snappy;
	uint64_t began = machine_now();
	struct dbos_snap *snap;
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	if (flags & ~FLAGS || flags == FLAGS || !snappy || !snappy->member_count)
		return -EINVAL;
	snap = apart_alloc(sizeof(*snap));
	if (!snap)
		return -ENOMEM;
	snap->dbos = dbos;
	ret = snappy_lock(snappy);
	if (!ret) {
		snappy->engine = engine_of(flags);
		ret = -ESTALE;
		if (!branch_closed(parent))
			ret = snappy_create(snappy, parent, &snap->branch);
		snappy_unlock(snappy);
	}
	if (ret) {
		apart_free(snap, sizeof(*snap));
		return ret;
	}
	histogram_add(snappy->counters.create_time, machine_now() - began);
	*out = snap;
	return 0;
}

int dbos_snap_create(struct dbos *dbos, unsigned int flags, struct dbos_snap **snap)
{
	return create(dbos, dbos->snappy ? snappy_here(dbos->snappy) : NULL, flags, snap);
}

int dbos_snap_child(struct dbos_snap *parent, unsigned int flags, struct dbos_snap **snap)
{
	return create(parent->dbos, &parent->branch, flags, snap);
}

int dbos_snap_prepare(struct dbos *dbos, unsigned int count)
{
	if (in_signal_handler())
		return -EDEADLK;
	return dbos->snappy ? snappy_prepare(dbos->snappy, count) : -EINVAL;
}

int dbos_snap_settle(struct dbos *dbos, size_t max_bytes, size_t *left)
{
	struct snappy *snappy = dbos->snappy;
	uint64_t ranges = 0;
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	if (!snappy)
		return -EINVAL;
	ret = snappy_lock(snappy);
	if (ret)
		return ret;
	ret = snappy_settle(snappy, max_bytes / FRAME_SIZE, &ranges);
	snappy_unlock(snappy);
	if (left)
		*left = ranges;
	return ret;
}

int dbos_snap_release(struct dbos_snap *snap)
{
	struct snappy *snappy = snap->dbos->snappy;
	struct branch *gone = NULL, *next;
	uint64_t began = machine_now();
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	ret = snappy_lock(snappy);
	if (ret)
		return ret;
	if (snap->branch.dropped || branch_close(&snap->branch))
		gone = snappy_release(snappy, &snap->branch);
	else
		ret = -EBUSY;
	snappy_unlock(snappy);
	for (; gone; gone = next) {
		next = gone->elder;
		apart_free((struct dbos_snap *)gone, sizeof(struct dbos_snap));
	}
	if (!ret)
		histogram_add(snappy->counters.release_time, machine_now() - began);
	return ret;
}

int dbos_snap_attach(struct dbos_snap *snap)
{
	struct snappy *snappy = snap->dbos->snappy;

	if (in_signal_handler())
		return -EDEADLK;
	if (!machine_in_guest())
		return -EINVAL;
	if (snappy_here(snappy) != &snappy->own)
		return -EBUSY;
	return snappy_attach(snappy, &snap->branch) ? 0 : -ESTALE;
}

int dbos_snap_detach(struct dbos *dbos)
{
	struct snappy *snappy = dbos->snappy;

	if (!machine_in_guest() || !snappy || snappy_here(snappy) == &snappy->own)
		return -EINVAL;
	snappy_detach(snappy);
	return 0;
}

int dbos_snap_run(struct dbos_snap *snap, void *(*fn)(void *arg), void *arg, void **result)
{
	int ret = dbos_snap_attach(snap);
	void *returned;

	if (ret)
		return ret;
	returned = fn(arg);
	if (result)
		*result = returned;
	return dbos_snap_detach(snap->dbos);
}

int dbos_snap_read(struct dbos_snap *snap, const void *va, void *to, size_t length)
{
	struct snappy *snappy = snap->dbos->snappy;
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	ret = snappy_lock(snappy);
	if (ret)
		return ret;
	if (branch_closed(&snap->branch))
		ret = -ESTALE;
	else
		ret = snappy_read(snappy, &snap->branch, (uint64_t)va, to, length);
	snappy_unlock(snappy);
	return ret;
}

struct found {
	int (*found)(void *arg, const void *va, size_t length);
	void *arg;
};

static int tell(void *arg, uint64_t va, uint64_t length)
{
	const struct found *found = arg;

	return found->found(found->arg, (const void *)va, length);
}

int dbos_snap_diff(struct dbos_snap *a, struct dbos_snap *b,
		   int (*found)(void *arg, const void *va, size_t length), void *arg)
{
	struct snappy *snappy = a->dbos->snappy;
	struct found to = { found, arg };
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	ret = snappy_lock(snappy);
	if (ret)
		return ret;
	if (branch_closed(&a->branch) || branch_closed(&b->branch))
		ret = -ESTALE;
	else
		ret = snappy_diff(snappy, &a->branch, &b->branch, tell, &to);
	snappy_unlock(snappy);
	return ret;
}

int dbos_snap_copying(struct dbos *dbos, enum dbos_snap_copying copying)
{
	if (!dbos->snappy || (copying != DBOS_SNAP_MOVE && copying != DBOS_SNAP_PRIORITISED))
		return -EINVAL;
	machine_store(&dbos->snappy->stays, copying == DBOS_SNAP_PRIORITISED);
	return 0;
}

int dbos_snap_policy(struct dbos *dbos, enum dbos_snap_policy policy)
{
	if (!dbos->snappy || (policy != DBOS_SNAP_ERROR && policy != DBOS_SNAP_DROP_OLDEST))
		return -EINVAL;
	machine_store(&dbos->snappy->drops, policy == DBOS_SNAP_DROP_OLDEST);
	return 0;
}
