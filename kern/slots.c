// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots: which guest-physical addresses show which of the process's. They change while vCPUs run;
 * when DUNE_SET_SLOT returns, no vCPU can reach anything through what the slot was before.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/overflow.h>

#include "hypervisor.h"

#define SLOT_CHANGING BIT(31)	/* ours, in the flags of a slot that is being replaced */

static inline bool slot_used(const struct dune_slot *slot)
{
	return slot->size != 0;
}

static int check_slot(const struct dune_slot *slot)
{
	u64 gpa_end, limit = 1ULL << tdp_gpa_bits();

	if (slot->slot >= DUNE_MAX_SLOTS || slot->flags & ~DUNE_SLOT_READONLY ||
	    slot->reserved[0] || slot->reserved[1])
		return -EINVAL;
	if (!PAGE_ALIGNED(slot->gpa | slot->hva | slot->size))
		return -EINVAL;
	if (check_add_overflow(slot->gpa, slot->size, &gpa_end) || gpa_end > limit)
		return -EINVAL;
	if (slot->hva > TASK_SIZE_MAX || slot->size > TASK_SIZE_MAX - slot->hva)
		return -EINVAL;
	return 0;
}

static bool slot_overlaps(const struct vm *vm, const struct dune_slot *slot)
{
	int i;

	for (i = 0; i < DUNE_MAX_SLOTS; i++) {
		const struct dune_slot *other = &vm->slots[i];

		if (i != slot->slot && slot_used(other) &&
		    slot->gpa < other->gpa + other->size && other->gpa < slot->gpa + slot->size)
			return true;
	}
	return false;
}

/*
 * Creates, moves, changes or deletes (size 0) a slot. Zapping the old one may drop mmu_lock;
 * meanwhile it is still there for the notifier, which must find what is not zapped yet, and closed
 * to faults, which must not fill in behind it: they wait for what comes.
 */
int slot_set(struct vm *vm, const struct dune_slot *slot)
{
	struct dune_slot *mine;
	int ret;

	ret = check_slot(slot);
	if (ret)
		return ret;

	mutex_lock(&vm->slots_mutex);
	mine = &vm->slots[array_index_nospec(slot->slot, DUNE_MAX_SLOTS)];
	if (slot_used(slot) && slot_overlaps(vm, slot)) {
		ret = -EEXIST;
		goto unlock;
	}
	spin_lock(&vm->mmu_lock);
	mine->flags |= SLOT_CHANGING;
	memory_zap(vm, mine->gpa, mine->gpa + mine->size, true);
	*mine = *slot;
	spin_unlock(&vm->mmu_lock);
unlock:
	mutex_unlock(&vm->slots_mutex);
	return ret;
}

/* With mmu_lock held. -ENOENT, or -EAGAIN: its slot is being replaced. */
int slot_find(const struct vm *vm, u64 gpa, struct dune_slot *found)
{
	int i;

	for (i = 0; i < DUNE_MAX_SLOTS; i++) {
		const struct dune_slot *slot = &vm->slots[i];

		if (gpa - slot->gpa < slot->size) {
			*found = *slot;
			return slot->flags & SLOT_CHANGING ? -EAGAIN : 0;
		}
	}
	return -ENOENT;
}

/* What slot number @i shows of the process's [start, end). With mmu_lock held. */
bool slot_clip(const struct vm *vm, int i, u64 start, u64 end, u64 *gpa, u64 *gpa_end)
{
	const struct dune_slot *slot = &vm->slots[i];
	u64 lo = max(start, slot->hva);
	u64 hi = min(end, slot->hva + slot->size);

	if (!slot_used(slot) || lo >= hi)
		return false;
	*gpa = slot->gpa + (lo - slot->hva);
	*gpa_end = *gpa + (hi - lo);
	return true;
}
