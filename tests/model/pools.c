// SPDX-License-Identifier: BSD-2-Clause
/*
 * B1, B2, B3 and B5: a pool of fewer frames than pages, of which vCPUs read and write all, pinned
 * and not. Nobody meets another page's words, or a page by halves, and no store is lost; each page
 * is in one frame; and whatever TLBs remember, nobody interrupts anybody.
 *
 * B7 is the same with a disk that fails, B8 with a number of frames that changes.
 */
#include <string.h>

#include "pool_disk.h"
#include "pool_user.h"
#include "property.h"

#define CPUS	   3
#define OPERATIONS 12
#define DIFFERENT  60	/* as often as that a vCPU is in no hurry, in percent */

static struct {
	unsigned int id[CPUS], count;
	bool fails;
	unsigned int together;		/* pages that may be prefetched at once: each is a pin */
	bool locked[DISK_PAGES];
} test;

static unsigned int any_page(void)
{
	return model_random(DISK_PAGES);
}

/* An error that may be, where errors may be. */
static bool refused(int ret)
{
	if (ret && (!test.fails || ret != -EIO) && ret != -EILSEQ)
		model_fail("a pin is refused by %d", ret);
	if (ret == -EILSEQ)
		model_fail("a page was not what it should be on disk");
	return ret;
}

static void check_word(unsigned int page, uint64_t word, uint64_t least, uint64_t most,
		       const char *how)
{
	if (word < pool_word(page, least) || word > pool_word(page, most))
		model_fail("page %u, %s: %#llx, not %#llx to %#llx", page, how,
			   (unsigned long long)word,
			   (unsigned long long)pool_word(page, least),
			   (unsigned long long)pool_word(page, most));
}

static void check_pinned(unsigned int page, uint64_t frame, const char *how)
{
	for (unsigned int i = 0; i < POOL_WORDS; i++)
		check_word(page, pool_load(frame, i), truth[page], truth[page], how);
}

static void change(unsigned int page, struct dbos_pin *pin)
{
	if (test.locked[page])
		model_fail("page %u is pinned twice", page);
	test.locked[page] = true;
	check_pinned(page, pin->frame, "pinned");
	if (!model_random(4)) {
		test.locked[page] = false;
		dbos_pool_unpin(&pool.pool, pin, false);
		return;
	}
	for (unsigned int i = 0; i < POOL_WORDS; i++)
		pool_store(pin->frame, i, pool_word(page, truth[page] + 1));
	truth[page]++;
	test.locked[page] = false;
	dbos_pool_unpin(&pool.pool, pin, true);
}

static void write_page(void)
{
	unsigned int page = any_page();
	struct dbos_pin pin;

	if (!refused(dbos_pool_pin(&pool.pool, page, &pin)))
		change(page, &pin);
}

static void share_page(void)
{
	unsigned int page = any_page();
	struct dbos_pin pin;

	if (refused(dbos_pool_pin_shared(&pool.pool, page, &pin)))
		return;
	check_pinned(page, pin.frame, "shared");
	work(10);
	check_pinned(page, pin.frame, "shared for a while");
	dbos_pool_unpin_shared(&pool.pool, &pin);
}

/* Between the look at the header and the content there may be anything: an exit, a long sleep. */
static void dawdle(unsigned int id)
{
	unsigned int how = model_random(100);

	if (how < DIFFERENT)
		return;
	if (how < 90)
		work(80);
	else
		host_call(id, 100);
}

static void read_page(unsigned int id)
{
	uint64_t words[POOL_WORDS], least;
	struct dbos_pool_read read;
	unsigned int page = any_page();
	struct dbos_pin pin;

	least = truth[page];
	if (refused(pool_user_read(&pool.pool, page, &read)))
		return;
	dawdle(id);
	for (unsigned int i = 0; i < POOL_WORDS; i++)
		words[i] = pool_load(read.frame, i);
	if (!pool_user_valid(&pool.pool, &read))
		return;
	for (unsigned int i = 0; i < POOL_WORDS; i++) {
		check_word(page, words[i], least, truth[page], "read");
		if (words[i] != words[0])
			model_fail("page %u is read by halves", page);
	}
	dawdle(id);
	if (model_random(2) && pool_user_upgrade(&pool.pool, &read, &pin))
		change(page, &pin);
}

/* As who needs room would do. */
static void evict_some(void)
{
	int64_t frame = tabby_make_room(&pool);
	uint64_t mine = frame;

	if (frame >= 0)
		tabby_give(&pool, &mine, 1);
	else
		refused(frame);
}

static void prefetch(void)
{
	const uint64_t pages[] = { any_page(), any_page() };

	refused(dbos_pool_prefetch(&pool.pool, pages, test.together));
}

/* Who is late writes it again. */
static void write_all(void)
{
	for (uint64_t frame = 0; frame < pool.pool.frames; frame++)
		refused(tabby_write_back(&pool, &frame, 1));
}

static void operate(unsigned int id)
{
	pool_check();
	switch (model_random(16)) {
	case 0 ... 6:
		read_page(id);
		break;
	case 7 ... 9:
		write_page();
		break;
	case 10:
		share_page();
		break;
	case 11: case 12:
		evict_some();
		break;
	case 13:
		prefetch();
		break;
	case 14:
		host_call(id, 30);
		break;
	case 15:
		write_all();
	}
}

static void run_cpu(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	for (unsigned int i = 0; i < OPERATIONS; i++)
		operate(id);
	guest_exit(id);
}

static void run_resizer(void *arg)
{
	unsigned int id = *(unsigned int *)arg;

	guest_enter(id);
	for (unsigned int i = 0; i < 3; i++) {
		work(100);
		refused(pool.kind->resize(&pool, test.count + model_random(DISK_FRAMES - CPUS)));
		pool_check();
	}
	guest_exit(id);
}

static bool fault(uint64_t va, uint32_t error)
{
	(void)va, (void)error;
	return false;
}

static void begin(uint64_t seed, bool fails, bool resizes)
{
	static unsigned int resizer = 12;
	unsigned int frames;

	memset(&test, 0, sizeof(test));
	fixture_begin(seed, 16, 64, fault);
	test.fails = fails;
	test.count = 2 + model_random(CPUS - 1);
	frames = test.count + model_random(test.count + 1);
	test.together = resizes || frames < 2 * test.count ? 1 : 2;
	pool_begin(&tabby_mmu, frames, resizes ? DISK_FRAMES : frames, fails ? 6 : 0);
	for (unsigned int i = 0; i < test.count; i++) {
		test.id[i] = i * 3 + model_random(3);
		fixture_add_cpu(test.id[i], run_cpu, &test.id[i]);
	}
	if (resizes)
		fixture_add_cpu(resizer, run_resizer, &resizer);
}

static void begin_plain(uint64_t seed)
{
	begin(seed, false, false);
}

static void begin_failing(uint64_t seed)
{
	begin(seed, true, false);
}

static void begin_resized(uint64_t seed)
{
	begin(seed, model_random(2), true);
}

const struct property pool_property = {
	.name = "B1",
	.what = "pages of a pool are what they are, in one frame each; no store is lost",
	.begin = begin_plain,
	.end = pool_check_end,
};

const struct property failing_property = {
	.name = "B7",
	.what = "a disk that fails loses nothing, and no frame",
	.begin = begin_failing,
	.end = pool_check_end,
};

const struct property resized_property = {
	.name = "B8",
	.what = "frames leave a pool that is in use, and come back",
	.begin = begin_resized,
	.end = pool_check_end,
};
