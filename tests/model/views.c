// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "beside.h"
#include "common.h"
#include "views.h"

#define HOST_SLOTS 16

struct snappy snappy;
struct inflights inflights;
struct view views[VIEWS];

static struct branch branches[VIEWS];
static struct life pool_lives[POOL_MAX];
static const struct engine *engine;
static unsigned int hoarded;
static bool nobody_attaches;
static uint64_t host_frame[HOST_SLOTS];

static uint64_t root_of(unsigned int view)
{
	return view ? views[view].branch->table.root : table.root;
}

void view_walk(uint64_t root, unsigned int page, uint64_t path[TABLE_LEVELS + 1])
{
	uint64_t gpa = root, va = view_va(page, 0);

	memset(path, 0, (TABLE_LEVELS + 1) * sizeof(path[0]));
	for (unsigned int level = TABLE_LEVELS; level > 0; level--) {
		uint64_t size = 1ull << (12 + 9 * (level - 1)), entry;

		path[TABLE_LEVELS - level] = gpa;
		entry = *data_word(gpa + va / size % TABLE_ENTRIES * 8);
		if (!(entry & DBOS_PTE_P))
			return;
		gpa = entry & DBOS_PTE_ADDR;
		if (level > 1 && entry & DBOS_PTE_PS) {
			gpa += va % size & ~(FRAME_SIZE - 1ull);
			break;
		}
	}
	path[TABLE_LEVELS] = gpa;
}

uint64_t view_word(unsigned int view, unsigned int page, unsigned int word, uint64_t *gpa)
{
	uint64_t path[TABLE_LEVELS + 1];

	view_walk(root_of(view), page, path);
	if (gpa)
		*gpa = path[TABLE_LEVELS];
	return path[TABLE_LEVELS] ? *data_word(path[TABLE_LEVELS] + word * 8) : 0;
}

uint64_t view_frame(unsigned int view, unsigned int page)
{
	uint64_t gpa;

	view_word(view, page, 0, &gpa);
	return gpa;
}

static bool root_reaches(uint64_t root, uint64_t gpa)
{
	uint64_t path[TABLE_LEVELS + 1];

	for (unsigned int i = 0; i < VIEW_PAGES; i++) {
		view_walk(root, i, path);
		for (unsigned int k = 0; k <= TABLE_LEVELS; k++) {
			if (path[k] == gpa)
				return true;
		}
	}
	return false;
}

bool views_reach(uint64_t gpa)
{
	for (unsigned int i = 0; i < VIEWS; i++) {
		if ((!i || views[i].branch) && !view_dropped(i) && root_reaches(root_of(i), gpa))
			return true;
	}
	for (unsigned int i = 0; i < READY_MAX; i++) {
		if (snappy.ready[i].state != READY_NONE &&
		    root_reaches(snappy.ready[i].branch.table.root, gpa))
			return true;
	}
	return false;
}

/* A page beyond all others, full of entries that lead there, whatever level they are taken for. */
#define NOWHERE_GPA   (MEMORY - FRAME_SIZE)
#define NOWHERE_ENTRY (NOWHERE_GPA | LEAF)

static void fill(uint64_t gpa, uint64_t value)
{
	for (unsigned int i = 0; i < FRAME_SIZE; i += 8)
		*data_word(gpa + i) = value;
}

/*
 * Each frame that is handed out: nobody can reach it, and what it held is gone. A vCPU on its way
 * in may remember a table there, if it is to be one again (mm/frames.h): so that is full of
 * entries, and what they lead to is no page's value.
 */
static uint64_t look_at(uint64_t gpa, unsigned int level)
{
	int who;

	if (!gpa || !frames_watched)
		return gpa;
	who = model_who_reaches(gpa, level);
	if (who >= 0)
		model_fail("frame %#llx was handed out while vCPU %d can reach it",
			   (unsigned long long)gpa, who);
	if (views_reach(gpa))
		model_fail("frame %#llx was handed out while a view has it",
			   (unsigned long long)gpa);
	for (unsigned int i = 0; i < HOST_SLOTS; i++) {
		if (host_frame[i] == gpa)
			model_fail("frame %#llx was handed out while the host uses it",
				   (unsigned long long)gpa);
	}
	fill(gpa, level ? NOWHERE_ENTRY : POISON);
	return gpa;
}

uint64_t __real_frames_alloc(struct frames *frames);
uint64_t __wrap_frames_alloc(struct frames *frames);
uint64_t __real_frames_alloc_table(struct frames *frames, unsigned int level);
uint64_t __wrap_frames_alloc_table(struct frames *frames, unsigned int level);
uint64_t __real_snappy_new_page(struct snappy *snappy, uint64_t birth);
uint64_t __wrap_snappy_new_page(struct snappy *snappy, uint64_t birth);

uint64_t __wrap_frames_alloc(struct frames *frames)
{
	return look_at(__real_frames_alloc(frames), 0);
}

uint64_t __wrap_frames_alloc_table(struct frames *frames, unsigned int level)
{
	return look_at(__real_frames_alloc_table(frames, level), level);
}

/* Of the members' own memory as well. */
uint64_t __wrap_snappy_new_page(struct snappy *snappy, uint64_t birth)
{
	return look_at(__real_snappy_new_page(snappy, birth), 0);
}

void view_host_begins(unsigned int slot, uint64_t gpa)
{
	host_frame[slot] = gpa;
}

void view_host_ends(unsigned int slot)
{
	host_frame[slot] = 0;
}

static bool fault(uint64_t va, uint32_t error)
{
	if (!(error & MODEL_WRITE) || !(error & MODEL_PRESENT))
		return false;
	return snappy_break(&snappy, snappy_here(&snappy), va) == 0;
}

/* Of seeds: those of "epoch", and of "instant". The other half is of "lazy". */
static const struct engine *engine_of(uint64_t seed)
{
	if (seed % 4 == 0)
		return &epoch_engine;
	return seed % 4 == 2 ? &instant_engine : &lazy_engine;
}

static void reset(unsigned int limit)
{
	hoarded = 0;
	nobody_attaches = false;
	beside_begin();
	memset(&snappy, 0, offsetof(struct snappy, on));
	memset(snappy.on, 0, limit * sizeof(snappy.on[0]));
	memset(&snappy.lock, 0, sizeof(snappy) - offsetof(struct snappy, lock));
	memset(&inflights, 0, offsetof(struct inflights, cpu[limit]));
	memset(views, 0, sizeof(views));
	memset(host_frame, 0, sizeof(host_frame));
	memset(pool_lives, 0, sizeof(pool_lives));
	versions_reset();
	common_reset();
}

void views_begin(uint64_t seed, unsigned int limit, bool late)
{
	frames_watched = false;
	reset(limit);
	views_members_choose(seed, late);
	fixture_begin(seed, limit, VIEWS_POOL, fault);
	fill(NOWHERE_GPA, NOWHERE_ENTRY);
	views_members_begin(seed % 3 != 0);
	for (unsigned int i = 0; i < VIEW_PAGES * VIEW_WORDS; i++)
		versions_written(0, i / VIEW_WORDS, i % VIEW_WORDS, 0);
	snappy_init(&snappy, &table, &inflights, pool_lives);
	engine = engine_of(seed);
	/* Releases in small steps, large ones, and at once. */
	snappy.step = 1ull << model_random(12);
	views_members_add();
	frames_watched = true;
}

void views_make_scarce(unsigned int left)
{
	uint64_t kept[VIEWS_POOL];

	frames_watched = false;
	while (hoarded < VIEWS_POOL && (kept[hoarded] = frames_alloc(&frames)))
		hoarded++;
	while (left-- && hoarded)
		frames_free(&frames, kept[--hoarded]);
	frames_watched = true;
}

bool views_scarce(void)
{
	return hoarded > 0;
}

unsigned int views_hoarded(void)
{
	return hoarded;
}

bool view_dropped(unsigned int view)
{
	return view && views[view].branch && views[view].branch->dropped;
}

void views_nobody_attaches(void)
{
	nobody_attaches = true;
}

bool views_stay(void)
{
	return snappy.stays && nobody_attaches && !hoarded;
}

/* By age, of those that are there. */
static struct branch *oldest_view(void)
{
	struct branch *oldest = NULL;

	for (unsigned int i = 1; i < VIEWS; i++) {
		struct branch *branch = views[i].branch;

		if (branch && !branch->dropped && (!oldest || branch->epoch < oldest->epoch))
			oldest = branch;
	}
	return oldest;
}

bool __real_snappy_drop_oldest(struct snappy *snappy, const struct branch *spare);
bool __wrap_snappy_drop_oldest(struct snappy *snappy, const struct branch *spare);

/* The lock of snapshots is held, so none comes or goes. */
bool __wrap_snappy_drop_oldest(struct snappy *snappy, const struct branch *spare)
{
	struct branch *oldest = oldest_view();
	bool dropped = __real_snappy_drop_oldest(snappy, spare);

	if (dropped && !hoarded)
		model_fail("a snapshot was dropped with frames at hand");
	if (nobody_attaches && dropped != (oldest != NULL))
		model_fail("%s is dropped", dropped ? "what is none" : "nothing");
	if (nobody_attaches && oldest && !oldest->dropped)
		model_fail("another one than the oldest is dropped");
	return dropped;
}

static const struct engine *draw_engine(void)
{
	static const struct engine *const engines[] = {
		&lazy_engine, &epoch_engine, &instant_engine, &instant_engine,
	};

	return engine == &instant_engine ? engines[model_random(4)] : engine;
}

bool views_have_ready(void)
{
	return engine == &instant_engine;
}

/* Those whom others make count too: there is room for three at once. */
void views_prepare(unsigned int id)
{
	bool outside = model_random(2);
	int ret;

	if (outside)
		guest_leave(id);
	ret = snappy_prepare(&snappy, model_random(4));
	if (outside)
		guest_enter(id);
	if (ret && !(hoarded && ret == -ENOMEM))
		model_fail("no table can be made ready: error %d", -ret);
}

int view_create(unsigned int parent)
{
	static uint64_t words[VIEW_PAGES][VIEW_WORDS];
	unsigned int view = 1;
	uint64_t began;
	int ret;

	while (view < VIEWS && (views[view].branch || views[view].pins))
		view++;
	if (view == VIEWS)
		return -1;
	views[view].pins = 1;
	views[parent].pins++;
	if (snappy_lock(&snappy))
		model_fail("the lock of snapshots can't be had");
	memset(&branches[view], 0, sizeof(branches[view]));
	snappy.engine = draw_engine();
	if (!parent && snappy.engine == &instant_engine)
		beside_map();
	began = model_now();
	if (view_dropped(parent))
		ret = -ENOMEM;
	else
		ret = snappy_create(&snappy, parent ? views[parent].branch : &snappy.own,
				    &branches[view]);
	if (ret) {
		if (!hoarded || ret != -ENOMEM)
			model_fail("a snapshot can't be made: error %d", -ret);
		views[parent].pins--;
		views[view].pins = 0;
		snappy_unlock(&snappy);
		return -1;
	}
	views[view] = (struct view){ .branch = &branches[view], .parent = parent, .pins = 1,
					.lacks = views[parent].lacks };
	for (unsigned int i = 0; i < VIEW_PAGES * VIEW_WORDS; i++)
		words[i / VIEW_WORDS][i % VIEW_WORDS] =
			view_word(view, i / VIEW_WORDS, i % VIEW_WORDS, NULL);
	versions_cut(parent, view, began, words);
	if (!parent)
		beside_check(views[view].branch);
	views[parent].pins--;
	snappy_unlock(&snappy);
	/* Others may be at it by now. */
	views[view].pins--;
	return view;
}

/* Somebody else may have it from now on, if its branch is gone as well. */
void view_release(unsigned int view)
{
	struct branch *branch = views[view].branch, *gone;

	views[view].dying = true;
	views[view].pins++;
	if (snappy_lock(&snappy))
		model_fail("the lock of snapshots can't be had");
	if (!branch->dropped && !branch_close(branch)) {
		views[view].dying = false;
		views[view].pins--;
		snappy_unlock(&snappy);
		return;
	}
	views[view].branch = NULL;
	for (gone = snappy_release(&snappy, branch); gone; gone = gone->elder)
		views[gone - branches].pins = 0;
	snappy_unlock(&snappy);
}

/* Nobody begins anything with it while it is looked at. */
void view_end(unsigned int view)
{
	views[view].dying = true;
	view_check(view);
	view_release(view);
}

int view_choose(bool pinned)
{
	unsigned int first = model_random(VIEWS);

	for (unsigned int i = 0; i < VIEWS; i++) {
		unsigned int view = (first + i) % VIEWS;

		if (view && views[view].branch && !views[view].dying &&
		    (pinned || !views[view].pins))
			return view;
	}
	return -1;
}
