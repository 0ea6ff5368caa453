// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>

#include "snappy/live.h"

static void publish(struct snappy *snappy, uint64_t change)
{
	struct snappy_counters *counters = &snappy->counters;

	machine_store(&counters->live, counters->live + change);
	machine_store(&counters->oldest, snappy->oldest ? snappy->oldest->epoch : 0);
}

void live_add(struct snappy *snappy, struct branch *branch)
{
	branch->older = snappy->youngest;
	branch->younger = NULL;
	if (snappy->youngest)
		snappy->youngest->younger = branch;
	else
		snappy->oldest = branch;
	snappy->youngest = branch;
	publish(snappy, 1);
}

void live_remove(struct snappy *snappy, struct branch *branch)
{
	if (branch->older)
		branch->older->younger = branch->younger;
	else
		snappy->oldest = branch->younger;
	if (branch->younger)
		branch->younger->older = branch->older;
	else
		snappy->youngest = branch->older;
	publish(snappy, -1ull);
}
