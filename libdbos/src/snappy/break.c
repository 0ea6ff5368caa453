// SPDX-License-Identifier: BSD-2-Clause
/*
 * The write fault. It goes down one level at a time, and begins anew after each thing it has done:
 *
 *	2 MiB without W, alone		W is set
 *	a table without W, alone, but	its entries lose W; W is set
 *	  its pages are not
 *	a leaf without W		it is split; the table is ours
 *	a table without W		it is copied; the copy is ours
 *	a page that is no member	it has W, or is nobody's to write
 *	a page without W, alone		W is set
 *	a page without W		it is copied, and who is on this branch flushes; or it
 *	  				stays, and they are led to the copy: prioritised.h
 *
 * An attempt has interrupts off and does not park, so no snapshot is cut meanwhile: what W and the
 * birth of a frame say together stays true. Others' attempts are kept off by the lock of the page's
 * entry, and by compare-and-swap one level up, where two make the same table and one is dropped.
 */
#include <errno.h>

#include "snappy/engine.h"
#include "snappy/prioritised.h"

enum outcome { DONE, AGAIN, IN_USE, NOTHING, NEEDS_TABLE, NEEDS_PAGE, NEEDS_LOCK };

struct attempt {
	struct snappy *snappy;
	struct branch *branch;
	uint64_t va;			/* of the page */
	uint64_t table, page;		/* frames in store */
	bool stays;			/* the page does: the snapshots are to have the copy */
	bool locked;			/* snappy_lock(), for that */
	bool flushed;			/* the page, since its entry leads to the copy */
};

static struct life *life_at(const struct attempt *attempt, uint64_t entry)
{
	return life_of(&attempt->snappy->lives, entry & DBOS_PTE_ADDR);
}

/*
 * A leaf has the birth of its first page. Translations stay what they are, so nobody has to flush
 * for them; but processors may walk through the old table by what they have cached of this entry.
 * It is out of their reach once they have flushed a page, whichever.
 */
static enum outcome copy_table(struct attempt *attempt, uint64_t *word, uint64_t old)
{
	struct snappy *snappy = attempt->snappy;
	bool owned = branch_owns(attempt->branch, life_at(attempt, old));
	struct life *copy;
	uint64_t generation;

	if (!attempt->table)
		return NEEDS_TABLE;
	snappy_fill_table(snappy, attempt->table, old, attempt->va & ~(SNAPPY_RANGE - 1));
	copy = life_at(attempt, attempt->table);
	machine_store(&copy->birth, machine_load(&snappy->epoch));
	machine_store(&copy->generation, entry_is_table(old) ? 0 : LIFE_FLUSHED);
	if (!machine_cas(word, &old, attempt->table | ENTRY_TABLE | DBOS_PTE_W))
		return AGAIN;
	attempt->table = 0;
	if (!entry_is_table(old)) {
		machine_add(&snappy->counters.splits, 1);
		return AGAIN;
	}
	machine_add(&snappy->counters.tables, 1);
	generation = tlb_flush(snappy->cpus, attempt->va, 1, TLB_LAZY);
	machine_store(&copy->generation, generation);
	if (owned)
		snappy_unlink(snappy, attempt->branch, old & DBOS_PTE_ADDR, 1, generation);
	machine_add(&snappy->counters.lazy_flushes, 1);
	return AGAIN;
}

/* What allows all of 2 MiB to be written, or not. */
static enum outcome open_range(struct attempt *attempt, uint64_t *word, uint64_t old)
{
	const struct life *life = life_at(attempt, old);

	if (!branch_has_alone(attempt->branch, life)) {
		if (!entry_is_table(old) || !branch_has_table_alone(attempt->branch, life))
			return copy_table(attempt, word, old);
		snappy_forbid_writing(attempt->snappy, old,
				      attempt->va & ~(SNAPPY_RANGE - 1));
	}
	if (machine_cas(word, &old, old | DBOS_PTE_W))
		machine_add(&attempt->snappy->counters.reused, 1);
	return AGAIN;
}

/* The entry keeps its lock, and its flags get theirs from the processor at any moment. */
static void unlock(uint64_t *word, uint64_t set)
{
	uint64_t old = machine_load(word);

	while (!machine_cas(word, &old, (old & ~DBOS_PTE_LOCK) | set))
		;
}

/*
 * Who is on another branch has never known the page by this one's entry, or has forgotten it. But
 * tables are made ready from the process's by whoever does it, and he is to see the change: by the
 * locked addition he does, or is counted.
 */
static uint64_t flush_branch(const struct attempt *attempt)
{
	struct snappy *snappy = attempt->snappy;
	bool of_all;

	machine_add(&snappy->counters.flushes, 1);
	of_all = attempt->branch == &snappy->own && machine_load(&snappy->ready_count);
	return tlb_flush_roots(snappy->cpus, of_all ? TLB_ALL_ROOTS : TLB_THIS_ROOT,
			       branch_root(attempt->branch), attempt->va, 1);
}

/*
 * The entry is locked, and what is there has no W for anybody. The copy is shown without W first:
 * until all have flushed, some read the old page and some the copy, so they must be equal.
 */
static void copy_page(struct attempt *attempt, uint64_t *word, uint64_t old)
{
	struct snappy *snappy = attempt->snappy;
	bool owned = branch_owns(attempt->branch, life_at(attempt, old));
	uint64_t page = attempt->page, generation;

	attempt->page = 0;
	snappy_copy_page(snappy, page, old & DBOS_PTE_ADDR);
	life_at(attempt, page)->frame = attempt->va;
	machine_store(&life_at(attempt, page)->birth, machine_load(&snappy->epoch));
	machine_store(word, page | (old & ~DBOS_PTE_ADDR) | DBOS_PTE_LOCK);
	generation = flush_branch(attempt);
	if (attempt->branch == &snappy->own)
		ready_mirror(snappy, attempt->va, page | (old & ~DBOS_PTE_ADDR));
	unlock(word, DBOS_PTE_W);
	attempt->flushed = true;
	machine_add(&snappy->counters.pages, 1);
	if (owned)
		snappy_unlink(snappy, attempt->branch, old & DBOS_PTE_ADDR, 0, generation);
}

static enum outcome open_shared(struct attempt *attempt, uint64_t *word, uint64_t old)
{
	enum stay stayed = STAY_NOT;

	if (attempt->stays)
		stayed = prioritised_copy(attempt->snappy, attempt->va, old & DBOS_PTE_ADDR,
					  attempt->page);
	if (stayed == STAY_NOT) {
		copy_page(attempt, word, old);
		return DONE;
	}
	if (stayed != STAY_ALONE)
		attempt->page = 0;
	attempt->stays = stayed != STAY_BACK;
	unlock(word, stayed == STAY_BACK ? 0 : DBOS_PTE_W);
	return stayed == STAY_BACK ? AGAIN : DONE;
}

static enum outcome open_page(struct attempt *attempt, uint64_t *word)
{
	uint64_t old = machine_load(word);
	bool alone;

	if (!(old & DBOS_PTE_P))
		return NOTHING;
	if (old & DBOS_PTE_LOCK)
		return IN_USE;
	if (old & DBOS_PTE_W)
		return DONE;
	if (!snappy_is_member(attempt->snappy, attempt->va))
		return NOTHING;
	alone = branch_has_alone(attempt->branch, life_at(attempt, old));
	if (!alone && !attempt->page)
		return NEEDS_PAGE;
	if (!alone && attempt->stays && !attempt->locked)
		return NEEDS_LOCK;
	if (!machine_cas(word, &old, old | DBOS_PTE_LOCK))
		return AGAIN;
	if (!alone)
		return open_shared(attempt, word, old);
	machine_add(&attempt->snappy->counters.reused, 1);
	unlock(word, DBOS_PTE_W);
	return DONE;
}

static enum outcome try(struct attempt *attempt)
{
	struct frames *pool = attempt->snappy->pool;
	uint64_t *word = snappy_pde(attempt->snappy, attempt->branch, attempt->va);
	uint64_t entry, *entries;

	entry = word ? machine_load(word) : 0;
	if (!(entry & DBOS_PTE_P))
		return NOTHING;
	if (!(entry & DBOS_PTE_W))
		return open_range(attempt, word, entry);
	if (!entry_is_table(entry))
		return DONE;
	entries = frames_memory(pool, entry & DBOS_PTE_ADDR);
	return open_page(attempt, &entries[attempt->va / FRAME_SIZE % TABLE_ENTRIES]);
}

/* Where it can't be had, as in a function of ours that writes there, the page moves. */
static void lock_snapshots(struct attempt *attempt)
{
	attempt->locked = !snappy_lock(attempt->snappy);
	attempt->stays = attempt->locked && prioritised_split(attempt->snappy, attempt->va);
}

static void unlock_snapshots(struct attempt *attempt)
{
	if (attempt->locked)
		snappy_unlock(attempt->snappy);
	attempt->locked = false;
}

/* A cut may have come before we had the lock. With it no room can be made. */
static int get_frame(struct attempt *attempt, enum outcome outcome)
{
	struct snappy *snappy = attempt->snappy;
	uint64_t *store = outcome == NEEDS_TABLE ? &attempt->table : &attempt->page;

	unlock_snapshots(attempt);
	*store = outcome == NEEDS_TABLE ? snappy_new_table(snappy, 1, 0) :
					  snappy_new_page(snappy, 0);
	return *store || snappy_make_room(snappy) ? 0 : -ENOMEM;
}

/* Between two attempts: others of this branch are served, so that they can have their way. */
static int go_on(struct attempt *attempt, enum outcome outcome)
{
	struct cpus *cpus = attempt->snappy->cpus;

	switch (outcome) {
	case IN_USE:
		tlb_catch_up(cpus, cpus_self(cpus));
		machine_pause();
		return 0;
	case NEEDS_TABLE:
	case NEEDS_PAGE:
		return get_frame(attempt, outcome);
	case NEEDS_LOCK:
		lock_snapshots(attempt);
		return 0;
	case NOTHING:
		return -EFAULT;
	default:
		return 0;
	}
}

/*
 * No member, or none any more since the access was refused, or since a system call has looked: then
 * it may be written, and is to be tried again.
 */
static int look_again(struct snappy *snappy, struct branch *branch, uint64_t va)
{
	const uint64_t both = DBOS_PTE_P | DBOS_PTE_W;
	unsigned int level;

	if ((table_lookup(&branch->table, va, &level) & both) != both)
		return -EFAULT;
	tlb_flush_local(snappy->cpus, va, 1);
	return 0;
}

int snappy_break(struct snappy *snappy, struct branch *branch, uint64_t va)
{
	struct attempt attempt = {
		.snappy = snappy, .branch = branch, .va = va & ~(FRAME_SIZE - 1ull),
		.stays = branch == &snappy->own && machine_load(&snappy->stays),
	};
	enum outcome outcome = NOTHING;
	int ret = 0;

	if (!snappy_touches(snappy, va, 1))
		return look_again(snappy, branch, attempt.va);
	machine_add(&snappy->counters.faults, 1);
	do {
		uint64_t irqs = machine_irqs_off();

		outcome = try(&attempt);
		machine_irqs_restore(irqs);
		ret = go_on(&attempt, outcome);
	} while (!ret && outcome != DONE);
	unlock_snapshots(&attempt);
	if (attempt.table)
		snappy_drop(snappy, attempt.table);
	if (attempt.page)
		snappy_drop(snappy, attempt.page);
	/* Whoever was faster has changed the entry, and this processor may know the old one. */
	if (!attempt.flushed)
		tlb_flush_local(snappy->cpus, attempt.va, 1);
	return ret;
}
