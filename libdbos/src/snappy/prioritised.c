// SPDX-License-Identifier: BSD-2-Clause
/*
 * Prioritised copying: see prioritised.h. The caller has snappy_lock(), so snapshots neither come
 * nor go, and nobody looks into them from outside. What is left are the write faults of those who
 * are on them:
 *
 *	they copy the page		their entry is locked; it leads elsewhere soon
 *	they copy the table		perhaps as it was before we came: so all are looked at once
 *					more, behind a flush, which waits for who is at it
 *	they split the leaf		as we do: one of us drops his table
 *
 * Until the last flush the page and its copy are equal, and nobody may write either.
 */
#include "snappy/prioritised.h"

/* The leaf may get its flags from the processor meanwhile, or be split by who is on the branch. */
static bool split_leaf(struct snappy *snappy, struct branch *branch, uint64_t va)
{
	uint64_t *word = branch->table.root ? snappy_pde(snappy, branch, va) : NULL;
	uint64_t old = word ? machine_load(word) : 0, gpa;

	if (!(old & DBOS_PTE_P) || entry_is_table(old))
		return true;
	gpa = snappy_new_table(snappy, 1, snappy->epoch);
	if (!gpa)
		return false;
	snappy_fill_table(snappy, gpa, old, va & ~(SNAPPY_RANGE - 1));
	while (!entry_is_table(old)) {
		if (machine_cas(word, &old, gpa | ENTRY_TABLE | DBOS_PTE_W)) {
			machine_add(&snappy->counters.splits, 1);
			return true;
		}
	}
	snappy_drop(snappy, gpa);
	return true;
}

bool prioritised_split(struct snappy *snappy, uint64_t va)
{
	struct branch *branch = branch_next(&snappy->own);

	while (branch && split_leaf(snappy, branch, va))
		branch = branch_next(branch);
	return !branch;
}

static uint64_t *entry_of(const struct snappy *snappy, const struct branch *branch, uint64_t va)
{
	const uint64_t *word = branch->table.root ? snappy_pde(snappy, branch, va) : NULL;
	uint64_t entry = word ? machine_load(word) : 0;
	uint64_t *entries;

	if (!entry_is_table(entry))
		return NULL;
	entries = frames_memory(snappy->pool, entry & DBOS_PTE_ADDR);
	return &entries[va / FRAME_SIZE % TABLE_ENTRIES];
}

/*
 * True: it has led to @from. Where it is locked, it leads to a copy of theirs, or soon will; but
 * until they have flushed, which may take our flush too, some of them have @from yet. Behind that
 * the entry may be another table's.
 */
static bool lead(struct snappy *snappy, const struct branch *branch, uint64_t va, uint64_t from,
		 uint64_t to)
{
	struct cpu *self = cpus_self(snappy->cpus);

	for (;;) {
		uint64_t *word = entry_of(snappy, branch, va);
		uint64_t old = word ? machine_load(word) : 0;

		if (old & DBOS_PTE_LOCK) {
			tlb_catch_up(snappy->cpus, self);
			machine_pause();
			continue;
		}
		if (!(old & DBOS_PTE_P) || (old & DBOS_PTE_ADDR) != from)
			return false;
		if (machine_cas(word, &old, (old & ~DBOS_PTE_ADDR) | to))
			return true;
	}
}

/* All that are on snapshots have flushed when this returns. False: none has led to @from. */
static bool lead_all(struct snappy *snappy, uint64_t va, uint64_t from, uint64_t to,
		     uint64_t *generation)
{
	bool any = false, led;
	struct branch *branch;

	do {
		led = false;
		for (branch = branch_next(&snappy->own); branch; branch = branch_next(branch))
			led |= lead(snappy, branch, va, from, to);
		any |= led;
		if (led) {
			*generation = tlb_flush_roots(snappy->cpus, TLB_OTHER_ROOTS,
						      branch_root(&snappy->own), va, 1);
			machine_add(&snappy->counters.flushes, 1);
		}
	} while (led);
	return any;
}

static bool is_fixed(struct snappy *snappy, uint64_t va, uint64_t gpa)
{
	struct branch *branch;

	for (branch = branch_next(&snappy->own); branch; branch = branch_next(branch)) {
		const uint64_t *entry = branch->fixed ? entry_of(snappy, branch, va) : NULL;

		if (entry && (machine_load(entry) & DBOS_PTE_ADDR) == gpa)
			return true;
	}
	return false;
}

static bool host_uses(struct snappy *snappy, uint64_t gpa)
{
	uint64_t host = (uint64_t)life_host_memory(&snappy->lives, gpa);

	return inflight_uses_beside(snappy->inflights, machine_load(&snappy->cpus->limit),
				    snappy->own.table.root, host, host + FRAME_SIZE);
}

/*
 * vCPUs of the process may walk through what its table is a copy of, by what their processors have
 * cached one level up: it is a snapshot's now, and is to lead to the copy.
 */
static void leave_old_table(struct snappy *snappy, uint64_t va)
{
	uint64_t table = machine_load(snappy_pde(snappy, &snappy->own, va)) & DBOS_PTE_ADDR;
	uint64_t generation = machine_load(&life_of(&snappy->lives, table)->generation);
	uint64_t root = branch_root(&snappy->own);

	if (generation)
		tlb_wait_root(snappy->cpus, root, generation);
	else
		tlb_flush_roots(snappy->cpus, TLB_THIS_ROOT, root, va, 1);
}

/*
 * They have seen the copy meanwhile, so a call of theirs may use it: it is freed as any page, which
 * looks for calls, and as one that no snapshot has.
 */
static enum stay lead_back(struct snappy *snappy, uint64_t va, uint64_t gpa, uint64_t copy)
{
	uint64_t generation = 0;

	lead_all(snappy, va, copy, gpa, &generation);
	machine_store(&life_of(&snappy->lives, copy)->birth, snappy->epoch);
	snappy_unlink(snappy, &snappy->own, copy, 0,
		      generation ? generation : machine_load(&snappy->cpus->tlb.generation));
	return STAY_BACK;
}

/* The copy has the page's life, as if it had been there instead. */
enum stay prioritised_copy(struct snappy *snappy, uint64_t va, uint64_t gpa, uint64_t copy)
{
	struct life *life = life_of(&snappy->lives, gpa);
	uint64_t generation = 0;
	bool led;

	if (is_fixed(snappy, va, gpa))
		return STAY_NOT;
	snappy_copy_page(snappy, copy, gpa);
	machine_store(&life_of(&snappy->lives, copy)->birth, machine_load(&life->birth));
	leave_old_table(snappy, va);
	led = lead_all(snappy, va, gpa, copy, &generation);
	/* Whose page is another one by now may have begun a call before. */
	if (host_uses(snappy, gpa))
		return led ? lead_back(snappy, va, gpa, copy) : STAY_NOT;
	machine_store(&life->birth, snappy->epoch);
	if (!led)
		return STAY_ALONE;
	machine_add(&snappy->counters.pages, 1);
	machine_add(&snappy->counters.stayed, 1);
	snappy_unlink(snappy, &snappy->own, copy, 0, generation);
	return STAY_COPIED;
}
