// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "pool_disk.h"
#include "property.h"

#define ADDRESSES  0x80000000ull
#define ZEROES_GPA (DATA_GPA + (1ull << 21))

struct tabby pool;
uint64_t truth[DISK_PAGES];

static struct dbos_pool_frame frame_array[DISK_FRAMES];
static uint32_t next[DISK_FRAMES];
static uint64_t versions[DISK_FRAMES];

/* Of a page on disk: its header's two words, and those that count. */
#define DISK_WORDS (2 + POOL_WORDS)
static const unsigned int places[DISK_WORDS] = { 0, 1, 2, 300, 511 };
static uint64_t disk[DISK_PAGES][DISK_WORDS];
static unsigned int one_in;

static uint64_t *word_of(uint64_t frame, unsigned int word)
{
	return (uint64_t *)tabby_memory(&pool, frame) + places[2 + word];
}

uint64_t pool_load(uint64_t frame, unsigned int word)
{
	return machine_load(word_of(frame, word));
}

void pool_store(uint64_t frame, unsigned int word, uint64_t value)
{
	machine_store(word_of(frame, word), value);
}

/* Word by word, in any order, and anybody may be in between. */
static int copy(uint64_t *memory, uint64_t *image, bool write)
{
	unsigned int first = model_random(DISK_WORDS);
	bool fails = one_in && !model_random(one_in);
	unsigned int last = fails ? model_random(DISK_WORDS) : DISK_WORDS;

	for (unsigned int i = 0; i < DISK_WORDS; i++) {
		unsigned int word = (first + i) % DISK_WORDS;

		work(2);
		if (i == last)
			return model_random(2) ? -EIO : 8;
		if (write)
			image[word] = memory[places[word]];
		else
			memory[places[word]] = image[word];
	}
	return DBOS_PAGE_SIZE;
}

static void transfer(void *arg, struct dbos_pool_transfer *transfers, size_t count)
{
	(void)arg;
	for (size_t i = 0; i < count; i++)
		transfers[i].result = copy(transfers[i].memory, disk[transfers[i].page],
					   transfers[i].write);
}

static int sync_disk(void *arg)
{
	(void)arg;
	return 0;
}

/* Where the page's address leads to, by whatever translation the vCPU has. */
static uint64_t find(const struct dbos_pool *is, uint64_t page)
{
	uint64_t word;

	(void)is;
	if (!model_read(ADDRESSES + page * DBOS_PAGE_SIZE, 0, &word))
		model_fail("the address of page %u leads nowhere", (unsigned int)page);
	return (uint32_t)word;
}

static void map_addresses(void)
{
	for (uint64_t page = 0; page < DISK_PAGES; page++)
		map_at_first(ADDRESSES + page * DBOS_PAGE_SIZE, 1, ZEROES_GPA | DBOS_PTE_P);
}

/* In the product these frames' memory reads as zeroes from here on. */
void tabby_forget(struct tabby *tabby, uint64_t from, uint64_t to)
{
	for (uint64_t frame = from; frame < to; frame++)
		memset(tabby_memory(tabby, frame), 0, DBOS_PAGE_SIZE);
}

void pool_begin(const struct tabby_kind *kind, unsigned int count, unsigned int most,
		unsigned int failing)
{
	memset(&pool, 0, sizeof(pool));
	memset(frame_array, 0, sizeof(frame_array));
	memset(versions, 0, sizeof(versions));
	memset(disk, 0, sizeof(disk));
	one_in = failing;
	pool.kind = kind;
	pool.pool = (struct dbos_pool){
		.frame = frame_array, .memory = (char *)model_memory() + DATA_GPA,
		.frames = most, .pages = DISK_PAGES, .find = find,
	};
	pool.device = (struct dbos_pool_device){ .transfer = transfer, .sync = sync_disk };
	pool.batch = 1 + model_random(3);
	pool.limit = count;
	pool.limit_max = most;
	pool.page_count = DISK_PAGES;
	pool.table = &table;
	pool.cpus = &cpus;
	pool.addresses = ADDRESSES;
	pool.gpa = DATA_GPA;
	pool.next = next;
	for (uint64_t frame = 0; frame < most; frame++) {
		frame_array[frame].word = DBOS_POOL_LOCKED;
		next[frame] = TABBY_DROPPED;
		if (frame < count)
			tabby_give(&pool, &frame, 1);
	}
	for (uint64_t page = 0; page < DISK_PAGES; page++) {
		truth[page] = 1;
		disk[page][0] = model_random(count);
		disk[page][1] = page + 1;
		for (unsigned int i = 2; i < DISK_WORDS; i++)
			disk[page][i] = pool_word(page, 1);
	}
	map_addresses();
}

static void check_names(void)
{
	for (unsigned int i = 0; i < DISK_FRAMES; i++) {
		uint64_t name = frame_array[i].name;

		for (unsigned int j = 0; name && j < i; j++) {
			if (frame_array[j].name == name)
				model_fail("frames %u and %u are both page %llu's", j, i,
					   (unsigned long long)name - 1);
		}
	}
}

void pool_check(void)
{
	check_names();
	for (unsigned int i = 0; i < DISK_FRAMES; i++) {
		uint64_t version = frame_array[i].word / DBOS_POOL_VERSION;

		if (version < versions[i])
			model_fail("frame %u has version %llu again", i,
				   (unsigned long long)version);
		versions[i] = version;
	}
	for (unsigned int i = 0; i < cpus.limit; i++) {
		if (cpus.cpu[i].counters.interrupts)
			model_fail("vCPU %u has interrupted others", i);
	}
	if (cpus.tlb.generation)
		model_fail("somebody has had all flush");
}

static void check_stored(uint64_t page, const uint64_t *words, const unsigned int *which)
{
	for (unsigned int i = 2; i < DISK_WORDS; i++) {
		uint64_t is = words[which ? which[i] : i];

		if (is != pool_word(page, truth[page]))
			model_fail("page %u has %#llx in the end, not %#llx %s", (unsigned int)page,
				   (unsigned long long)is,
				   (unsigned long long)pool_word(page, truth[page]),
				   which ? "in its frame" : "on disk");
	}
}

static uint64_t check_frame(uint64_t frame, bool *in_frame)
{
	uint64_t word = frame_array[frame].word, page = frame_array[frame].name - 1;
	uint64_t state = word & DBOS_POOL_STATE;

	if (!frame_array[frame].name) {
		if (state != DBOS_POOL_LOCKED)
			model_fail("frame %u is nobody's and not locked", (unsigned int)frame);
		return 0;
	}
	if (state != 0 && state != DBOS_POOL_MARKED)
		model_fail("page %u is still in state %u", (unsigned int)page,
			   (unsigned int)state);
	check_stored(page, tabby_memory(&pool, frame), places);
	in_frame[page] = word & DBOS_POOL_DIRTY;
	return 1;
}

void pool_check_end(void)
{
	bool is_dirty[DISK_PAGES] = { false };
	struct dbos_pool_stats stats;
	uint64_t used = 0;

	pool_check();
	for (uint64_t frame = 0; frame < pool.pool.frames; frame++)
		used += check_frame(frame, is_dirty);
	for (uint64_t page = 0; page < DISK_PAGES; page++) {
		if (!is_dirty[page])
			check_stored(page, disk[page], NULL);
	}
	dbos_pool_stats(&pool.pool, &stats);
	if (used + stats.free_frames != pool.limit)
		model_fail("%u frames are used and %u free of %u", (unsigned int)used,
			   (unsigned int)stats.free_frames, (unsigned int)pool.limit);
}
