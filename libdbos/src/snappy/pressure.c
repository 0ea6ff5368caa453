// SPDX-License-Identifier: BSD-2-Clause
/*
 * No frame is left for a page or a table that is to be copied: either the write fails, or the
 * oldest snapshot goes.
 */
#include "snappy/engine.h"

/*
 * The vCPU is in a fault, with interrupts off, and has nothing locked; so it serves the others here
 * as anywhere else, and may be parked for a cut: what it does afterwards begins anew. Whoever has
 * the lock may be waiting for it. Two may come at once, for whom one snapshot may be enough.
 */
bool snappy_make_room(struct snappy *snappy)
{
	uint64_t before = machine_load(&snappy->counters.dropped);
	bool room;

	if (!machine_load(&snappy->drops) || snappy_lock(snappy))
		return false;
	room = machine_load(&snappy->counters.dropped) != before ||
	       snappy_drop_oldest(snappy, NULL);
	snappy_unlock(snappy);
	return room;
}
