// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second-level table mirrors the process's own page table.
 *
 * Nothing is mapped ahead of time and nothing is pinned. A second-level fault finds the slot, asks
 * the kernel for the page the process has at that address (which may read it from disk, break
 * copy-on-write, or refuse), and maps it with the same permission. Before the kernel takes a page
 * away from the process, or takes away the right to write it, it calls our mmu notifier, and we
 * remove the entry and flush every vCPU before we return. So munmap, mprotect, madvise, swap, KSM,
 * migration, fork's write protection and the OOM killer all need no code of their own here.
 *
 * The race between the two: a fault looks a page up without mmu_lock, and by the time it holds the
 * lock the page may be gone. Hence the sequence count: a result found before or during an
 * invalidation is thrown away and the guest simply faults again.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "statistics.h"

static inline bool slot_used(const struct dune_slot *slot)
{
	return slot->size != 0;
}

/* Removes what the slots show of the process's [start, end). Called with mmu_lock held. */
static bool zap_hva_range(struct vm *vm, u64 start, u64 end)
{
	bool zapped = false;
	int i;

	for (i = 0; i < DUNE_MAX_SLOTS; i++) {
		const struct dune_slot *slot = &vm->slots[i];
		u64 lo = max(start, slot->hva);
		u64 hi = min(end, slot->hva + slot->size);

		if (slot_used(slot) && lo < hi)
			zapped |= tdp_zap(vm->tdp_root, slot->gpa + (lo - slot->hva), hi - lo);
	}
	return zapped;
}

static int notifier_start(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct vm *vm = container_of(notifier, struct vm, notifier);

	note_notifier(vm, range->start, range->end);
	spin_lock(&vm->mmu_lock);
	vm->invalidations++;
	/*
	 * The flush is inside the lock: a second invalidation of the same range finds nothing left
	 * to remove, and must not return before the first one's flush is done.
	 */
	if (zap_hva_range(vm, range->start, range->end))
		vm_flush_tlb(vm);
	spin_unlock(&vm->mmu_lock);
	return 0;
}

static void notifier_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct vm *vm = container_of(notifier, struct vm, notifier);

	spin_lock(&vm->mmu_lock);
	vm->invalidate_seq++;
	vm->invalidations--;
	spin_unlock(&vm->mmu_lock);
}

/*
 * The address space is going away, perhaps while our descriptors stay open elsewhere. No vCPU can
 * run any more (DUNE_RUN wants current->mm == vm->mm), so nothing will be mapped after this.
 */
static void notifier_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct vm *vm = container_of(notifier, struct vm, notifier);

	spin_lock(&vm->mmu_lock);
	vm->invalidate_seq++;
	if (zap_hva_range(vm, 0, TASK_SIZE_MAX))
		vm_flush_tlb(vm);
	spin_unlock(&vm->mmu_lock);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = notifier_start,
	.invalidate_range_end = notifier_end,
	.release = notifier_release,
};

int memory_init(struct vm *vm)
{
	int ret;

	vm->tdp_root = tdp_create();
	if (!vm->tdp_root)
		return -ENOMEM;
	vm->mm = current->mm;
	vm->notifier.ops = &notifier_ops;
	/* Takes a reference on the mm_struct (not on its contents) until unregistered. */
	ret = mmu_notifier_register(&vm->notifier, vm->mm);
	if (ret)
		tdp_destroy(vm->tdp_root);
	return ret;
}

void memory_destroy(struct vm *vm)
{
	mmu_notifier_unregister(&vm->notifier, vm->mm);
	tdp_destroy(vm->tdp_root);
}

static int check_slot(const struct dune_slot *slot)
{
	u64 gpa_end, limit = 1ULL << tdp_gpa_bits();

	if (slot->slot >= DUNE_MAX_SLOTS || slot->flags || slot->reserved[0] || slot->reserved[1])
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

/* Creates, replaces or deletes (size 0) a slot. */
int memory_set_slot(struct vm *vm, const struct dune_slot *slot)
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
	/* A fault that looked the old slot up must not install what it found there. */
	vm->invalidate_seq++;
	if (tdp_zap(vm->tdp_root, mine->gpa, mine->size))
		vm_flush_tlb(vm);
	*mine = *slot;
	spin_unlock(&vm->mmu_lock);
unlock:
	mutex_unlock(&vm->slots_mutex);
	return ret;
}

static bool find_hva(const struct vm *vm, u64 gpa, unsigned long *hva)
{
	int i;

	for (i = 0; i < DUNE_MAX_SLOTS; i++) {
		const struct dune_slot *slot = &vm->slots[i];

		if (gpa - slot->gpa < slot->size) {
			*hva = slot->hva + (gpa - slot->gpa);
			return true;
		}
	}
	return false;
}

/*
 * Resolves a second-level fault at @gpa. Called by the vCPU's thread, so current->mm is vm->mm.
 * Returns 0 when it is worth running the guest again (the page may still have raced away: then it
 * faults again); -ENOMEM; another -errno when the process may not do to that address what the
 * guest tried, as get_user_pages() says it.
 */
int memory_fault(struct vcpu *vcpu, u64 gpa, u32 flags)
{
	struct vm *vm = vcpu->vm;
	bool write = flags & DUNE_FAULT_WRITE;
	unsigned long hva, pfn, seq;
	struct page *page;
	bool found, writable;
	int ret;

	gpa &= PAGE_MASK;
	ret = tdp_cache_fill(&vcpu->cache);
	if (ret)
		return ret;

	spin_lock(&vm->mmu_lock);
	seq = vm->invalidate_seq;
	found = find_hva(vm, gpa, &hva);
	spin_unlock(&vm->mmu_lock);
	if (!found)
		return -EFAULT;

	ret = host_page_get(hva, write, &pfn, &writable, &page);
	if (ret == -EAGAIN)
		return 0;
	if (ret)
		return ret;

	spin_lock(&vm->mmu_lock);
	if (!vm->invalidations && seq == vm->invalidate_seq) {
		tdp_map(vm->tdp_root, &vcpu->cache, gpa, pfn, writable);
		/*
		 * The guest's stores set the dirty bit here and not in the process's table, where
		 * reclaim looks. So the page counts as written from now until it is unmapped.
		 */
		if (page && writable)
			SetPageDirty(page);
	}
	spin_unlock(&vm->mmu_lock);

	/* No pin: from here on the notifier is what keeps the entry true. */
	if (page)
		put_page(page);
	vcpu->run->faults++;
	return 0;
}
