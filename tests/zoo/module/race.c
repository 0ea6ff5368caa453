// SPDX-License-Identifier: GPL-2.0-only
/*
 * A race that takes three steps, for whoever looks for races.
 *
 * race_open lets a worker begin to add one to a counter: it has read, and will write WINDOW_MS
 * later. race_bump adds one at once; within the window its update is lost. race_check waits for the
 * worker and warns if the counter is not what it should be. Any one of them alone is harmless, and
 * so is any other order.
 */
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/delay.h>
#include <linux/workqueue.h>

#include "zoo.h"

#define WINDOW_MS 300

static int counter;
static int expected;

static void zoo_race_add(struct work_struct *unused)
{
	int seen = READ_ONCE(counter);

	msleep(WINDOW_MS);
	WRITE_ONCE(counter, seen + 1);
}

static DECLARE_WORK(adder, zoo_race_add);

static noinline void zoo_race_open(void)
{
	if (schedule_work(&adder))
		expected++;
}

static noinline void zoo_race_bump(void)
{
	expected++;
	WRITE_ONCE(counter, READ_ONCE(counter) + 1);
}

static noinline void zoo_race_check(void)
{
	flush_work(&adder);
	WARN(READ_ONCE(counter) != expected, "an update was lost\n");
}

const struct zoo_fault zoo_races[] = {
	ZOO_FAULT(race_open),
	ZOO_FAULT(race_bump),
	ZOO_FAULT(race_check),
	ZOO_END,
};
