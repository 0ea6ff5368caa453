// SPDX-License-Identifier: BSD-2-Clause
/*
 * T2: a flush and a vCPU that is not there to do it: in the host, not run for long, not entered
 * yet, on its way out, or busy with anything but flushes. The flusher returns nevertheless, without
 * waiting for one in the host, and the other one meets nothing stale when it is back.
 */
#include <string.h>

#include "property.h"
#include "sight.h"

#define BASE	0x40000000ull
#define PAGES	3
#define ROUNDS	3
#define FLUSHER 1
#define OTHER	4
#define THIRD	9

enum absence { IN_HOST, PREEMPTED, NOT_ENTERED, EXITING, BUSY, ABSENCES };
enum extent { ONE_PAGE, RANGE, ALL, EXTENTS };

static struct {
	enum absence absence;
	enum extent extent;
	enum tlb_wait wait;
	bool prepared;			/* the other one is where it should be */
	bool flushed;
	unsigned int mapping[PAGES];
	uint64_t next_frame;
} test;

static uint64_t page_va(unsigned int page)
{
	return BASE + page * DBOS_PAGE_SIZE;
}

static bool fault(uint64_t va, uint32_t error)
{
	(void)va, (void)error;
	return false;
}

static void read_all(unsigned int id)
{
	for (unsigned int page = 0; page < PAGES; page++) {
		uint64_t began = model_now(), value = NOTHING;

		if (!model_read(page_va(page), 0, &value))
			value = NOTHING;
		sight_check_read(id, page, value, began);
	}
}

static void wait_for(const bool *flag)
{
	while (!*flag)
		machine_pause();
}

static void remap(unsigned int page)
{
	uint64_t frame = test.next_frame++;
	struct table_entry entry;

	*data_word(DATA_GPA + frame * DBOS_PAGE_SIZE) = frame;
	if (table_lock(&table, page_va(page), 1, &entry)) {
		model_fail("no frame for a table");
		return;
	}
	sight_begin(page, frame, true);
	table_unlock(&entry, (DATA_GPA + frame * DBOS_PAGE_SIZE) | LEAF);
	sight_replaced(page, test.mapping[page]);
}

static void flush(void)
{
	static const uint64_t pages[] = { 1, PAGES, TLB_ALL_PAGES };

	tlb_flush(&cpus, BASE, pages[test.extent], test.wait);
}

static void run_flusher(void *arg)
{
	unsigned int count = test.extent == ONE_PAGE ? 1 : PAGES;

	(void)arg;
	guest_enter(FLUSHER);
	read_all(FLUSHER);
	wait_for(&test.prepared);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		for (unsigned int page = 0; page < count; page++)
			remap(page);
		flush();
		for (unsigned int page = 0; page < count; page++)
			sight_flushed(page, test.mapping[page]++, test.wait == TLB_SYNC);
		read_all(FLUSHER);
	}
	test.flushed = true;
	guest_exit(FLUSHER);
}

/* It has all translations, and no reason of its own to drop them. */
static void fill_tlb(void)
{
	for (unsigned int page = 0; page < PAGES; page++)
		model_prefetch(OTHER, page_va(page));
}

static void come_back(void)
{
	uint64_t began = model_now();

	guest_enter(OTHER);
	sight_quiescent(OTHER, began);
	read_all(OTHER);
	guest_exit(OTHER);
}

/* Stays in the host until the flusher is through: were it waited for, that would be never. */
static void be_in_host(void)
{
	guest_enter(OTHER);
	fill_tlb();
	read_all(OTHER);
	guest_leave(OTHER);
	test.prepared = true;
	if (model_random(4))
		wait_for(&test.flushed);
	else
		work(200);
	come_back();
}

static void be_preempted(void)
{
	guest_enter(OTHER);
	fill_tlb();
	read_all(OTHER);
	test.prepared = true;
	model_sleep(model_random(3000));
	read_all(OTHER);
	host_call(OTHER, 10);
	read_all(OTHER);
	guest_exit(OTHER);
}

static void enter_late(void)
{
	fill_tlb();
	test.prepared = true;
	if (model_random(2))
		wait_for(&test.flushed);
	come_back();
}

static void exit_meanwhile(void)
{
	guest_enter(OTHER);
	fill_tlb();
	read_all(OTHER);
	test.prepared = true;
	work(60);
	read_all(OTHER);
	guest_exit(OTHER);
}

/* Flushes for itself, and then computes until the flusher is through: interrupts must do. */
static void be_busy(void)
{
	guest_enter(OTHER);
	fill_tlb();
	test.prepared = true;
	for (unsigned int i = model_random(4); i > 0; i--)
		tlb_flush(&cpus, BASE + PAGES * DBOS_PAGE_SIZE, 1, TLB_LAZY);
	while (!test.flushed)
		model_step();
	read_all(OTHER);
	guest_exit(OTHER);
}

static void run_other(void *arg)
{
	static void (*const be[ABSENCES])(void) = {
		be_in_host, be_preempted, enter_late, exit_meanwhile, be_busy,
	};

	(void)arg;
	be[test.absence]();
}

/* Comes and goes; and flushes too, so that flushers meet. */
static void run_third(void *arg)
{
	(void)arg;
	guest_enter(THIRD);
	read_all(THIRD);
	tlb_flush(&cpus, BASE + PAGES * DBOS_PAGE_SIZE, 1, TLB_SYNC);
	host_call(THIRD, 20);
	read_all(THIRD);
	guest_exit(THIRD);
}

static void begin(uint64_t seed)
{
	memset(&test, 0, sizeof(test));
	sight_reset();
	fixture_begin(seed, SIGHT_CPUS, 64, fault);
	test.absence = model_random(ABSENCES);
	test.extent = model_random(EXTENTS);
	test.wait = model_random(2) ? TLB_SYNC : TLB_LAZY;
	for (unsigned int page = 0; page < PAGES; page++) {
		*data_word(DATA_GPA + page * DBOS_PAGE_SIZE) = page;
		map_at_first(page_va(page), 1, (DATA_GPA + page * DBOS_PAGE_SIZE) | LEAF);
		sight_begin(page, page, true);
	}
	test.next_frame = PAGES;
	fixture_add_cpu(FLUSHER, run_flusher, NULL);
	fixture_add_cpu(OTHER, run_other, NULL);
	if (model_random(2))
		fixture_add_cpu(THIRD, run_third, NULL);
}

const struct property host_property = {
	.name = "T2",
	.what = "a flush and a vCPU that is in the host, preempted, not entered, leaving or busy",
	.begin = begin,
};
