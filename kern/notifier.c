// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel tells us about the process's memory: that it is about to change (invalidation),
 * or whether it was used (aging).
 *
 * An invalidation is a start and an end with the change in between. From start to end its range is
 * in a list of ranges in which no fault may map anything; faults elsewhere are not disturbed. After
 * the end a fault reads what the process's page table says now (memory.c), so nothing of a finished
 * invalidation needs to be remembered.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>

#include "statistics.h"

bool notifier_active(const struct vm *vm, u64 start, u64 end)
{
	unsigned int i;

	if (vm->invalidations.unlisted)
		return true;
	for (i = 0; i < vm->invalidations.count; i++) {
		const struct invalidation *range = &vm->invalidations.range[i];

		if (start < range->end && range->start < end)
			return true;
	}
	return false;
}

/* More at once than the list holds: for as long as that lasts, every fault waits. */
static void invalidation_begin(struct invalidations *list, u64 start, u64 end)
{
	if (list->count < DUNE_MAX_INVALIDATIONS)
		list->range[list->count++] = (struct invalidation){ start, end };
	else
		list->unlisted++;
}

/* Of two equal ranges it does not matter which goes, as long as one stays. */
static void invalidation_finish(struct invalidations *list, u64 start, u64 end)
{
	unsigned int i;

	for (i = 0; i < list->count; i++) {
		if (list->range[i].start == start && list->range[i].end == end) {
			list->range[i] = list->range[--list->count];
			return;
		}
	}
	list->unlisted--;
}

/* Removes what the slots show of the process's [start, end); for the lock see memory_zap(). */
static void zap_hva_range(struct vm *vm, u64 start, u64 end, bool may_sleep)
{
	u64 gpa, gpa_end;
	int i;

	for (i = 0; i < DUNE_MAX_SLOTS; i++) {
		if (slot_clip(vm, i, start, end, &gpa, &gpa_end))
			memory_zap(vm, gpa, gpa_end, may_sleep);
	}
}

static int notifier_start(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct vm *vm = container_of(notifier, struct vm, notifier);

	note_notifier(vm, range->start, range->end);
	spin_lock(&vm->mmu_lock);
	invalidation_begin(&vm->invalidations, range->start, range->end);
	vm->stats.invalidations++;
	zap_hva_range(vm, range->start, range->end, mmu_notifier_range_blockable(range));
	spin_unlock(&vm->mmu_lock);
	return 0;
}

static void notifier_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct vm *vm = container_of(notifier, struct vm, notifier);

	spin_lock(&vm->mmu_lock);
	invalidation_finish(&vm->invalidations, range->start, range->end);
	spin_unlock(&vm->mmu_lock);
}

static bool age_hva_range(struct mmu_notifier *notifier, u64 start, u64 end, bool clear)
{
	struct vm *vm = container_of(notifier, struct vm, notifier);
	bool young = false;
	u64 gpa, gpa_end;
	int i;

	spin_lock(&vm->mmu_lock);
	for (i = 0; i < DUNE_MAX_SLOTS; i++) {
		if (slot_clip(vm, i, start, end, &gpa, &gpa_end))
			young |= tdp_age(vm, gpa, gpa_end, clear);
	}
	vm->stats.aged += young && clear;
	spin_unlock(&vm->mmu_lock);
	return young;
}

static young_t notifier_clear_young(struct mmu_notifier *notifier, struct mm_struct *mm,
				    unsigned long start, unsigned long end)
{
	return age_hva_range(notifier, start, end, true);
}

static young_t notifier_test_young(struct mmu_notifier *notifier, struct mm_struct *mm,
				   unsigned long address)
{
	return age_hva_range(notifier, address, address + PAGE_SIZE, false);
}

/*
 * The address space is going away, perhaps while our descriptors stay open elsewhere. No vCPU can
 * run any more (DUNE_RUN wants current->mm == vm->mm), so nothing will be mapped after this.
 */
static void notifier_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct vm *vm = container_of(notifier, struct vm, notifier);

	spin_lock(&vm->mmu_lock);
	zap_hva_range(vm, 0, TASK_SIZE_MAX, true);
	spin_unlock(&vm->mmu_lock);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = notifier_start,
	.invalidate_range_end = notifier_end,
	.clear_flush_young = notifier_clear_young,
	.clear_young = notifier_clear_young,
	.test_young = notifier_test_young,
	.release = notifier_release,
};

/* Takes a reference on the mm_struct (not on its contents) until unregistered. */
int notifier_register(struct vm *vm)
{
	vm->notifier.ops = &notifier_ops;
	return mmu_notifier_register(&vm->notifier, vm->mm);
}

/* Also zaps everything, if the address space is still alive. */
void notifier_unregister(struct vm *vm)
{
	mmu_notifier_unregister(&vm->notifier, vm->mm);
}
