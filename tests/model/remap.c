// SPDX-License-Identifier: BSD-2-Clause
/*
 * T1: after a flush nobody meets what was there before it. vCPUs read, write, remap, protect,
 * unmap, split and collapse the pages of one 2 MiB range, with flushes of every kind, between
 * system calls and interrupts.
 *
 * Each frame holds its number, so a read tells which one it met. Two more oracles watch writes: a
 * frame whose mapping was flushed synchronously does not change, and one that has changed was
 * mapped by an entry with the D flag.
 */
#include <string.h>

#include "property.h"
#include "sight.h"

#define BASE   0x40000000ull
#define PAGES  4
#define FRAMES 16
#define OPERATIONS 14
#define CPUS   4

/* The words of a frame: its number, and what writers leave. */
#define NUMBER 0
#define SCRAP  8

static struct {
	unsigned int cpus;
	unsigned int id[CPUS];
	unsigned int mapping[PAGES];	/* the oracle's number of the current one */
	uint64_t frame[PAGES];
	bool writable[PAGES];
	bool mapped[FRAMES], loose[FRAMES];	/* loose: lazily flushed once */
	uint64_t scrap[FRAMES];		/* at the frame's last flush */
	uint64_t stamp;
} test;

static uint64_t page_va(unsigned int page)
{
	return BASE + page * DBOS_PAGE_SIZE;
}

static uint64_t frame_gpa(uint64_t frame)
{
	return DATA_GPA + frame * DBOS_PAGE_SIZE;
}

static bool fault(uint64_t va, uint32_t error)
{
	(void)va, (void)error;
	return false;
}

static void read_page(unsigned int id, unsigned int page)
{
	uint64_t began = model_now(), value = NOTHING;

	if (!model_read(page_va(page) + NUMBER, 0, &value))
		value = NOTHING;
	sight_check_read(id, page, value, began);
}

static void write_page(unsigned int id, unsigned int page)
{
	uint64_t began = model_now();
	bool done = model_write(page_va(page) + SCRAP, 0, ++test.stamp);

	sight_check_write(id, page, done, began);
}

/* @frame has left the page table, and a synchronous flush has returned. */
static void close_frame(uint64_t frame, uint64_t entry, uint64_t before)
{
	uint64_t scrap = *data_word(frame_gpa(frame) + SCRAP);

	if (!test.loose[frame] && scrap != before && !(entry & DBOS_PTE_D))
		model_fail("frame %llu was written, but its entry %#llx is not dirty",
			   (unsigned long long)frame, (unsigned long long)entry);
	test.scrap[frame] = scrap;
}

static void open_frame(uint64_t frame)
{
	uint64_t scrap = *data_word(frame_gpa(frame) + SCRAP);

	if (!test.loose[frame] && scrap != test.scrap[frame])
		model_fail("frame %llu was written after its flush", (unsigned long long)frame);
	test.scrap[frame] = scrap;
}

static uint64_t free_frame(void)
{
	uint64_t frame = model_random(FRAMES);

	while (test.mapped[frame])
		frame = (frame + 1) % FRAMES;
	return frame;
}

static void flush(unsigned int page, enum tlb_wait wait)
{
	switch (model_random(4)) {
	case 0:
		tlb_flush(&cpus, BASE, PAGES, wait);
		break;
	case 1:
		tlb_flush(&cpus, 0, TLB_ALL_PAGES, wait);
		break;
	default:
		tlb_flush(&cpus, page_va(page), 1, wait);
	}
}

/* The entry of @page says @frame from now on; flushed within the lock or after it. */
static void remap(unsigned int page, uint64_t frame, bool writable)
{
	enum tlb_wait wait = model_random(3) ? TLB_SYNC : TLB_LAZY;
	uint64_t old_frame, old_value, before, value = 0;
	struct table_entry entry;
	unsigned int mapping;

	if (frame != NOTHING)
		value = frame_gpa(frame) | DBOS_PTE_P | (writable ? DBOS_PTE_W : 0);
	if (table_lock(&table, page_va(page), 1, &entry)) {
		model_fail("no frame for a table");
		return;
	}
	mapping = test.mapping[page];
	old_frame = test.frame[page];
	before = old_frame == NOTHING ? 0 : test.scrap[old_frame];
	test.mapping[page] = sight_begin(page, frame, writable);
	test.frame[page] = frame;
	test.writable[page] = writable;
	old_value = table_unlock(&entry, value);
	sight_replaced(page, mapping);
	flush(page, wait);
	sight_flushed(page, mapping, wait == TLB_SYNC);
	if (old_frame == NOTHING || old_frame == frame)
		return;
	if (wait == TLB_SYNC)
		close_frame(old_frame, old_value, before);
	else
		test.loose[old_frame] = true;
	test.mapped[old_frame] = false;
}

static void remap_elsewhere(unsigned int page)
{
	uint64_t frame = free_frame();

	test.mapped[frame] = true;
	open_frame(frame);
	remap(page, frame, model_random(4));
}

/* Only an editor's own view of what is there: another may be faster, which is as good. */
static void protect(unsigned int page)
{
	struct table_entry entry;
	unsigned int mapping;
	bool writable;

	if (table_lock(&table, page_va(page), 1, &entry)) {
		model_fail("no frame for a table");
		return;
	}
	if (test.frame[page] == NOTHING) {
		table_unlock(&entry, entry.value);
		return;
	}
	mapping = test.mapping[page];
	writable = !test.writable[page];
	test.writable[page] = writable;
	test.mapping[page] = sight_begin(page, test.frame[page], writable);
	table_unlock(&entry, writable ? entry.value | DBOS_PTE_W : entry.value & ~DBOS_PTE_W);
	sight_replaced(page, mapping);
	flush(page, TLB_SYNC);
	sight_flushed(page, mapping, true);
}

static void repair_locally(unsigned int id, unsigned int page)
{
	uint64_t began = model_now();

	tlb_flush_local(&cpus, page_va(page), 1);
	sight_flushed_locally(id, page, began);
	read_page(id, page);
}

static void system_call(unsigned int id)
{
	uint64_t began;

	guest_leave(id);
	work(30);
	began = model_now();
	guest_enter(id);
	sight_quiescent(id, began);
}

static void quiescent_point(unsigned int id)
{
	uint64_t began = model_now();

	cpu_serve(&cpus, &cpus.cpu[id]);
	sight_quiescent(id, began);
}

static void without_interrupts(unsigned int id, unsigned int page)
{
	uint64_t irqs = machine_irqs_off();

	work(20);
	read_page(id, page);
	machine_irqs_restore(irqs);
}

static void operate(unsigned int id, unsigned int page)
{
	switch (model_random(16)) {
	case 0 ... 5:
		read_page(id, page);
		break;
	case 6: case 7:
		write_page(id, page);
		break;
	case 8: case 9:
		remap_elsewhere(page);
		break;
	case 10:
		remap(page, NOTHING, false);
		break;
	case 11:
		protect(page);
		break;
	case 12:
		repair_locally(id, page);
		break;
	case 13:
		system_call(id);
		break;
	case 14:
		quiescent_point(id);
		break;
	case 15:
		without_interrupts(id, page);
	}
}

static void run_cpu(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	for (unsigned int i = 0; i < OPERATIONS; i++)
		operate(id, model_random(PAGES));
	guest_exit(id);
}

/* The range begins as one leaf of 2 MiB, or as pages that differ. */
static void begin(uint64_t seed)
{
	bool one_leaf;

	memset(&test, 0, sizeof(test));
	sight_reset();
	fixture_begin(seed, SIGHT_CPUS, 64, fault);
	one_leaf = model_random(2);
	if (one_leaf)
		map_at_first(BASE, 2, DATA_GPA | LEAF | DBOS_PTE_PS);
	for (unsigned int i = 0; i < FRAMES; i++)
		*data_word(frame_gpa(i) + NUMBER) = i;
	for (unsigned int i = 0; i < PAGES; i++) {
		if (!one_leaf)
			map_at_first(page_va(i), 1, frame_gpa(i) | LEAF);
		test.mapping[i] = sight_begin(i, i, true);
		test.frame[i] = i;
		test.writable[i] = true;
		test.mapped[i] = true;
	}
	test.cpus = 2 + model_random(CPUS - 1);
	for (unsigned int i = 0; i < test.cpus; i++) {
		test.id[i] = i * 3 + model_random(3);
		fixture_add_cpu(test.id[i], run_cpu, &test.id[i]);
	}
}

const struct property remap_property = {
	.name = "T1",
	.what = "a remapped page is seen where it is, after the flush that promises it",
	.begin = begin,
};
