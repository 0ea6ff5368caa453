// SPDX-License-Identifier: BSD-2-Clause
#include "hosted.h"

#define ATTEMPTS 20

static uint64_t host_of(uint64_t gpa)
{
	return (uint64_t)data_word(gpa);
}

/* What the guest's table says, and W if it may be written; the vCPU walks. */
static uint64_t look_up(unsigned int id, uint64_t va)
{
	uint64_t root = cpus.cpu[id].root;
	struct table loaded = table;
	unsigned int level;
	uint64_t entry;

	if (root)
		loaded.root = root;
	entry = table_lookup(&loaded, va, &level);
	if (level == 2)
		entry += va % SNAPPY_RANGE & ~(FRAME_SIZE - 1ull);
	return entry;
}

static void note(unsigned int id, uint64_t va, uint64_t entry, bool write)
{
	struct inflight *inflight = &inflights.cpu[id];
	struct inflight_piece piece = {
		.va = va, .host = host_of(entry & DBOS_PTE_ADDR), .length = 8, .write = write,
	};

	inflight_begin(inflight, cpus.cpu[id].root ? cpus.cpu[id].root : table.root);
	if (!inflight_add(inflight, &piece))
		model_fail("no room for a note");
}

/* The handler of the fault that the run loop reflects: see fault_at_call() in proxy.c. */
static void fault_at_call(unsigned int id, uint64_t va)
{
	uint64_t irqs;

	guest_enter(id);
	irqs = machine_irqs_off();
	if (snappy_break(&snappy, snappy_here(&snappy), va) && !views_scarce())
		model_fail("a fault at a system call was not mended");
	machine_irqs_restore(irqs);
	guest_leave(id);
}

static void finish(unsigned int id, unsigned int slot)
{
	cpu_walks(&cpus, &cpus.cpu[id]);
	view_host_ends(slot);
	inflight_end(&inflights, id);
	cpu_outside(&cpus, &cpus.cpu[id]);
	guest_enter(id);
}

/* Without a look into any table, and with no note. */
static void write_at_home(unsigned int id, unsigned int slot, unsigned int page)
{
	unsigned int word = HOST_WORD(slot);
	uint64_t value = versions_new_value();

	versions_call_begins(0, page, word, value);
	guest_leave(id);
	work(40);
	*data_word(view_home(page) + word * 8) = value;
	versions_call_stored(0, page, word);
	work(20);
	guest_enter(id);
	versions_publish(0, page, word, value);
}

void hosted_write(unsigned int id, unsigned int slot, unsigned int view, unsigned int page)
{
	unsigned int word = HOST_WORD(slot);
	uint64_t va = view_va(page, word), entry, value;

	if (!view && view_keeps(page) && model_random(2)) {
		write_at_home(id, slot, page);
		return;
	}
	guest_leave(id);
	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		cpu_walks(&cpus, &cpus.cpu[id]);
		entry = look_up(id, va);
		if (entry & DBOS_PTE_W)
			break;
		cpu_outside(&cpus, &cpus.cpu[id]);
		fault_at_call(id, va);
	}
	if (!(entry & DBOS_PTE_W)) {
		guest_enter(id);
		return;
	}
	note(id, va, entry, true);
	view_host_begins(slot, entry & DBOS_PTE_ADDR);
	value = versions_new_value();
	versions_call_begins(view, page, word, value);
	cpu_outside(&cpus, &cpus.cpu[id]);
	/* As long as the world is stopped for those who leave, now and then. */
	if (model_random(8) == 0)
		model_sleep(model_random(20000));
	work(40);
	*data_word((entry & DBOS_PTE_ADDR) + word * 8) = value;
	versions_call_stored(view, page, word);
	work(20);
	finish(id, slot);
	versions_publish(view, page, word, value);
}

/* It reads what was there when the call began, or what has been written since, for all its time. */
static void host_looks(unsigned int slot, unsigned int view, unsigned int page, uint64_t gpa,
		       const uint64_t least[VIEW_WORDS])
{
	for (unsigned int word = 0; word < VIEW_WORDS; word++) {
		uint64_t must = least[word];

		if (word == slot || word == HOST_WORD(slot))
			must = versions_now(view, page, word);
		versions_check(view, page, word, *data_word(gpa + word * 8), must);
	}
}

void hosted_read(unsigned int id, unsigned int slot, unsigned int view, unsigned int page)
{
	uint64_t least[VIEW_WORDS], entry, va = view_va(page, 0);

	guest_leave(id);
	for (unsigned int word = 0; word < VIEW_WORDS; word++)
		least[word] = versions_least(view, page, word);
	cpu_walks(&cpus, &cpus.cpu[id]);
	entry = look_up(id, va);
	note(id, va, entry, false);
	view_host_begins(slot, entry & DBOS_PTE_ADDR);
	cpu_outside(&cpus, &cpus.cpu[id]);
	for (unsigned int i = 0; i < 3; i++) {
		/* As long as whole snapshots live, now and then. */
		if (model_random(4) == 0)
			model_sleep(model_random(4000));
		work(20);
		host_looks(slot, view, page, entry & DBOS_PTE_ADDR, least);
	}
	finish(id, slot);
}
