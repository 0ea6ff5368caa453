// SPDX-License-Identifier: BSD-2-Clause
/*
 * See settle.h. Each 2 MiB is done in a stopped world, by plain stores: no vCPU is in a fault, each
 * flushes everything before it runs on, and calls that the host is making are noted. A page of
 * which the host uses the frame, or the one that it is to go to, stays where it is.
 *
 * The frame at a page's own place is free, or another page's, or waits for something. If it is
 * free, it rests: all of these are taken out of their list at first, and marked. If it is another
 * page's, its life says whose (a hint, for the page table decides), and the two change places.
 */
#include <errno.h>
#include <stddef.h>

#include "snappy/engine.h"
#include "snappy/settle.h"

/* In life->frame, beside LIFE_LEVEL. */
#define LIFE_MARKED 8ull

#define FLAGS_OF_PROCESSOR (DBOS_PTE_A | DBOS_PTE_D)

/* What may differ between entries that become one. */
#define FLAGS_OF_PAGE (FLAGS_OF_PROCESSOR | DBOS_PTE_W)

struct settling {
	struct snappy *snappy;
	uint64_t pages;			/* that may be copied yet */
	uint64_t generation;		/* of the last flush */
	struct life *resting;		/* linked; marked as far as they are free */
	struct life *of_pool;		/* frames that have become free in this stopped world */
};

/* 2 MiB that are a table. */
struct range {
	uint64_t va;
	uint64_t *word, table, *entries;
};

static uint64_t *page_word(const struct snappy *snappy, uint64_t va)
{
	const uint64_t *word = snappy_is_member(snappy, va) ?
		snappy_pde(snappy, &snappy->own, va) : NULL;
	uint64_t entry = word ? machine_load(word) : 0;

	if (!entry_is_table(entry))
		return NULL;
	return (uint64_t *)frames_memory(snappy->pool, entry & DBOS_PTE_ADDR) +
	       va / FRAME_SIZE % TABLE_ENTRIES;
}

/* Where the page is that has the frame; NULL: none of the process's has it. */
static uint64_t *word_of_frame(const struct snappy *snappy, uint64_t gpa, uint64_t *va)
{
	uint64_t *word, entry;

	*va = life_of(&snappy->lives, gpa)->frame & DBOS_PTE_ADDR;
	word = page_word(snappy, *va);
	entry = word ? machine_load(word) : 0;
	return entry & DBOS_PTE_P && (entry & DBOS_PTE_ADDR) == gpa ? word : NULL;
}

static bool host_uses(const struct snappy *snappy, uint64_t gpa)
{
	uint64_t host = (uint64_t)life_host_memory(&snappy->lives, gpa);

	return inflight_uses(snappy->inflights, machine_load(&snappy->cpus->limit), host,
			     host + FRAME_SIZE);
}

/* The entry leads to @gpa from now on, and so do those of tables that are ready. */
static void lead_to(struct snappy *snappy, uint64_t *word, uint64_t va, uint64_t gpa)
{
	struct life *life = life_of(&snappy->lives, gpa);
	uint64_t entry = gpa | (machine_load(word) & ~DBOS_PTE_ADDR);

	life->frame = va;
	machine_store(&life->birth, snappy->epoch);
	machine_store(word, entry);
	ready_mirror(snappy, va, entry);
}

/* Nobody has the frame any more. */
static void let_go(struct settling *settling, uint64_t gpa)
{
	struct snappy *snappy = settling->snappy;
	struct life *life = life_of(&snappy->lives, gpa);
	bool of_pool = lives_extent(&snappy->lives, gpa) == &snappy->lives.extent[0];
	struct life **list = of_pool ? &settling->of_pool : &settling->resting;

	machine_store(&life->birth, 0);
	life->frame = of_pool ? gpa : gpa | LIFE_MARKED;
	life->next = *list;
	*list = life;
}

static void exchange(struct snappy *snappy, uint64_t a, uint64_t b)
{
	uint64_t *of_a = life_memory(&snappy->lives, a), *of_b = life_memory(&snappy->lives, b);

	for (unsigned int i = 0; i < FRAME_SIZE / sizeof(*of_a); i++) {
		uint64_t word = of_a[i];

		of_a[i] = of_b[i];
		of_b[i] = word;
	}
}

/* The page of @range at @i, from @from to @home, if that can be now. */
static void bring_home(struct settling *settling, const struct range *range, unsigned int i,
		       uint64_t from, uint64_t home)
{
	struct snappy *snappy = settling->snappy;
	bool free = life_of(&snappy->lives, home)->frame & LIFE_MARKED;
	uint64_t *others = NULL, va = 0, cost = free ? 1 : 2;

	if (!free)
		others = word_of_frame(snappy, home, &va);
	if ((!free && !others) || settling->pages < cost || host_uses(snappy, from) ||
	    host_uses(snappy, home))
		return;
	settling->pages -= cost;
	if (free)
		snappy_copy_page(snappy, home, from);
	else
		exchange(snappy, home, from);
	lead_to(snappy, &range->entries[i], range->va + i * FRAME_SIZE, home);
	if (free)
		let_go(settling, from);
	else
		lead_to(snappy, others, va, from);
}

/* Of one member alone, and so of what can be a leaf. */
static bool is_whole(const struct snappy *snappy, const struct range *range)
{
	struct span span = { 0, 0 };

	return snappy_next_span(snappy, range->va, &span) &&
	       span.end - span.first == TABLE_ENTRIES;
}

/* No leaf is to come of it, and the pages of members are where they belong. */
static bool is_settled(const struct snappy *snappy, const struct range *range)
{
	if (is_whole(snappy, range))
		return false;
	for (uint64_t i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t home = snappy_home(snappy, range->va + i * FRAME_SIZE);
		uint64_t entry = machine_load(&range->entries[i]);

		if (home && entry & DBOS_PTE_P && (entry & DBOS_PTE_ADDR) != home)
			return false;
	}
	return true;
}

/* What the 512 pages are as one leaf; 0: they are not together, or not to be one. */
static uint64_t leaf_of(const struct snappy *snappy, const struct range *range)
{
	uint64_t first = machine_load(&range->entries[0]);
	uint64_t home = snappy_home(snappy, range->va);

	if (!is_whole(snappy, range))
		return 0;
	for (uint64_t i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t should = (home + i * FRAME_SIZE) | (first & ~DBOS_PTE_ADDR);
		uint64_t entry = machine_load(&range->entries[i]);

		if (!(entry & DBOS_PTE_P) || entry & DBOS_PTE_LOCK ||
		    (entry ^ should) & ~FLAGS_OF_PAGE)
			return 0;
	}
	return home | (first & ~DBOS_PTE_ADDR) | DBOS_PTE_PS | FLAGS_OF_PAGE;
}

/*
 * The process has all of it alone. A vCPU on its way in finds the code of its flush by what it
 * remembers, so the table of that stays (mm/collapse.c).
 */
static bool join(struct snappy *snappy, const struct range *range)
{
	uint64_t leaf = leaf_of(snappy, range), home = snappy_home(snappy, range->va);

	if (!leaf || home % SNAPPY_RANGE || snappy->cpus->flush_code - range->va < SNAPPY_RANGE)
		return false;
	for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
		machine_store(&life_of(&snappy->lives, home + i * FRAME_SIZE)->birth,
			      snappy->epoch);
	machine_store(range->word, leaf);
	return true;
}

static void bring_all_home(struct settling *settling, const struct range *range)
{
	for (unsigned int i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t home = snappy_home(settling->snappy, range->va + i * FRAME_SIZE);
		uint64_t entry = machine_load(&range->entries[i]);

		if (home && entry & DBOS_PTE_P && !(entry & DBOS_PTE_LOCK) &&
		    (entry & DBOS_PTE_ADDR) != home)
			bring_home(settling, range, i, entry & DBOS_PTE_ADDR, home);
	}
}

/* Frames are free with the flush behind the last moment when somebody had them. */
static void free_of_pool(struct settling *settling)
{
	struct life *life = settling->of_pool, *next;

	for (; life; life = next) {
		next = life->next;
		frames_retire(settling->snappy->pool, life->frame, settling->generation);
	}
	settling->of_pool = NULL;
}

/* False: the 2 MiB are a leaf. */
static bool find_table(const struct snappy *snappy, struct range *range)
{
	uint64_t entry = machine_load(range->word);

	if (!entry_is_table(entry))
		return false;
	range->table = entry & DBOS_PTE_ADDR;
	range->entries = frames_memory(snappy->pool, range->table);
	return true;
}

/*
 * *joined: it is a leaf now. Until the world stands still a fault may copy table and page that has
 * begun when there was a snapshot yet.
 */
static int settle_range(struct settling *settling, struct range *range, bool *joined)
{
	struct snappy *snappy = settling->snappy;
	int ret = world_stop(snappy->cpus);

	if (ret)
		return ret;
	if (find_table(snappy, range)) {
		bring_all_home(settling, range);
		*joined = join(snappy, range);
	}
	settling->generation = tlb_flush(snappy->cpus, 0, TLB_ALL_PAGES, TLB_LAZY);
	world_start(snappy->cpus);
	free_of_pool(settling);
	if (*joined) {
		snappy->counters.joined++;
		snappy_unlink(snappy, &snappy->own, range->table, 1, settling->generation);
	}
	return 0;
}

static int settle_run(struct settling *settling, const struct member *run, uint64_t *left)
{
	struct snappy *snappy = settling->snappy;
	int ret = 0;

	for (uint64_t va = run->va; !ret && va < run->end; va += SNAPPY_RANGE) {
		struct range range = { .va = va };
		bool joined = false;

		range.word = snappy_pde(snappy, &snappy->own, va);
		if (!find_table(snappy, &range) || is_settled(snappy, &range))
			continue;
		if (settling->pages || leaf_of(snappy, &range))
			ret = settle_range(settling, &range, &joined);
		*left += !joined && !is_settled(snappy, &range);
	}
	return ret;
}

static void give_back(struct settling *settling)
{
	struct life *life = settling->resting, *next;

	for (; life; life = next) {
		next = life->next;
		if (!(life->frame & LIFE_MARKED))
			continue;
		life->frame &= ~LIFE_MARKED;
		if (settling->generation)
			life->generation = settling->generation;
		snappy_rest(settling->snappy, life);
	}
}

/*
 * A frame that is taken for a page stays linked where it was until all is over. Nobody else links
 * it meanwhile: once the world has stood still without snapshots, no page is copied any more.
 */
int snappy_settle(struct snappy *snappy, uint64_t pages, uint64_t *left)
{
	struct settling settling = { .snappy = snappy, .pages = pages };
	int ret = 0;

	*left = 0;
	if (snappy->own.child)
		return -EBUSY;
	settling.resting = snappy_take_resting(snappy);
	for (struct life *life = settling.resting; life; life = life->next)
		life->frame |= LIFE_MARKED;
	for (uint64_t i = 0; !ret && i < snappy->run_count; i++)
		ret = settle_run(&settling, &snappy->run[i], left);
	give_back(&settling);
	return ret;
}
