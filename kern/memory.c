// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second-level table mirrors the process's own page table.
 *
 * Nothing is mapped ahead of time and nothing is pinned. A second-level fault finds the slot, has
 * the kernel bring the page in (which may read it from disk, break copy-on-write, or refuse), and
 * maps what the process's page table then says: the same memory, leaf size and rights. Before the
 * kernel takes memory or a right away from the process it calls our notifier (notifier.c), which
 * removes the entry and flushes every vCPU before it returns. So munmap, mprotect, madvise, swap,
 * KSM, migration, fork's write protection and the OOM killer need no code of their own here.
 *
 * The race between the two: by the time a fault holds mmu_lock, the page it brought in may be gone
 * again. So what is mapped is what the process's table says *then*, with the lock held and no
 * invalidation of that address running. If it is not the page that was brought in, the guest
 * simply faults again.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "statistics.h"

int memory_init(struct vm *vm)
{
	int ret;

	vm->tdp_root = tdp_create();
	if (!vm->tdp_root)
		return -ENOMEM;
	vm->mm = current->mm;
	ret = notifier_register(vm);
	if (ret) {
		tdp_destroy(vm->tdp_root);
		return ret;
	}
	shrinker_add(vm);
	return 0;
}

void memory_destroy(struct vm *vm)
{
	shrinker_remove(vm);
	notifier_unregister(vm);
	tdp_destroy(vm->tdp_root);
}

/*
 * Zaps [gpa, end) in pieces, between which mmu_lock, held on entry and return, may be dropped. A
 * whole piece of 4 KiB leaves is about a millisecond of harvesting.
 */
void memory_zap(struct vm *vm, u64 gpa, u64 end, bool may_sleep)
	__must_hold(&vm->mmu_lock)
{
	while ((gpa = tdp_next(vm, gpa, end)) < end) {
		u64 next = min_t(u64, ALIGN_DOWN(gpa, TDP_ZAP_PIECE) + TDP_ZAP_PIECE, end);

		tdp_zap(vm, gpa, next);
		gpa = next;
		if (!need_resched() && !spin_needbreak(&vm->mmu_lock))
			continue;
		spin_unlock(&vm->mmu_lock);
		if (may_sleep)
			cond_resched();
		spin_lock(&vm->mmu_lock);
	}
}

/* A leaf of this level is right only where slot and process agree on all of it. */
static bool leaf_fits(const struct vm *vm, const struct dune_slot *slot, u64 gpa, u64 hva,
		      unsigned int level)
{
	u64 size = TDP_LEVEL_SIZE(level);
	u64 start = ALIGN_DOWN(gpa, size);

	if (level > vendor()->tdp_format()->max_leaf_level)
		return false;
	if ((gpa ^ hva) & (size - 1))
		return false;
	if (start < slot->gpa || start + size > slot->gpa + slot->size)
		return false;
	hva = ALIGN_DOWN(hva, size);
	return !notifier_active(vm, hva, hva + size);
}

struct fault {
	u64 gpa, hva;
	bool write, exec;
	struct page *page;		/* NULL: a special mapping */
};

/*
 * With mmu_lock held. -EAGAIN: the process's table is changing, or says something else by now;
 * -EFAULT: the process may not do that.
 */
static int map_fault(struct vcpu *vcpu, const struct dune_slot *slot, const struct fault *fault)
{
	struct vm *vm = vcpu->vm;
	struct host_mapping host;
	struct tdp_leaf leaf;
	bool present;

	if (notifier_active(vm, fault->hva, fault->hva + PAGE_SIZE))
		return -EAGAIN;
	local_irq_disable();
	present = host_page_walk(vm->mm, fault->hva, &host);
	local_irq_enable();
	if (!present || (fault->write && !host.write))
		return -EAGAIN;
	if (fault->page && page_to_pfn(fault->page) != host.pfn)
		return -EAGAIN;
	/*
	 * Only RAM: a device's registers would need the device's memory type in our table, and
	 * no guest of ours has business with them.
	 */
	if (!fault->page && !page_is_ram(host.pfn))
		return -EFAULT;
	if (fault->exec && !host.exec)
		return -EFAULT;

	leaf = (struct tdp_leaf){
		.level = fault->page ? host.level : 1,
		.write = host.write && !(slot->flags & DUNE_SLOT_READONLY),
		.exec = host.exec,
		.dirty = fault->write,
	};
	while (leaf.level > 1 && !leaf_fits(vm, slot, fault->gpa, fault->hva, leaf.level))
		leaf.level--;
	leaf.pfn = ALIGN_DOWN(host.pfn, TDP_LEVEL_SIZE(leaf.level) >> PAGE_SHIFT);
	tdp_map(vm, &vcpu->cache, fault->gpa, &leaf);
	return 0;
}

/*
 * Resolves a second-level fault at @gpa. Called by the vCPU's thread, so current->mm is vm->mm.
 * Returns 0 when it is worth running the guest again (the page may still have raced away: then it
 * faults again); -ENOMEM; another -errno when the process may not do to that address what the
 * guest tried, as get_user_pages() says it.
 */
static int memory_fault(struct vcpu *vcpu, u64 gpa, u32 flags)
{
	struct fault fault = {
		.gpa = gpa & PAGE_MASK,
		.write = flags & DUNE_FAULT_WRITE,
		.exec = flags & DUNE_FAULT_EXEC,
	};
	struct vm *vm = vcpu->vm;
	struct dune_slot slot, now;
	int ret;

	ret = tdp_cache_fill(vm, &vcpu->cache);
	if (ret)
		return ret;

	spin_lock(&vm->mmu_lock);
	ret = slot_find(vm, fault.gpa, &slot);
	spin_unlock(&vm->mmu_lock);
	if (ret == -EAGAIN)
		return 0;
	if (ret || (fault.write && slot.flags & DUNE_SLOT_READONLY))
		return -EFAULT;
	fault.hva = slot.hva + (fault.gpa - slot.gpa);

	ret = host_page_fault_in(fault.hva, fault.write, &fault.page);
	if (ret)
		return ret;

	spin_lock(&vm->mmu_lock);
	ret = slot_find(vm, fault.gpa, &now);
	if (ret || memcmp(&slot, &now, sizeof(slot)))
		ret = -EAGAIN;
	else
		ret = map_fault(vcpu, &slot, &fault);
	vm->stats.retries += ret == -EAGAIN;
	spin_unlock(&vm->mmu_lock);

	/* No pin: from here on the notifier is what keeps the entry true. */
	if (fault.page)
		put_page(fault.page);
	if (ret == -EAGAIN)
		return 0;
	vcpu->run->faults += !ret;
	return ret;
}

/*
 * For vendors: the guest left over the second-level table at @gpa, for want of the right @flags
 * say. Returns as handle_exit() does.
 */
int memory_exit(struct vcpu *vcpu, u64 gpa, u32 flags)
{
	struct dune_run *run = vcpu->run;
	int ret = memory_fault(vcpu, gpa, flags);

	note_fault(vcpu->vm, gpa, flags, ret);
	switch (ret) {
	case 0:
		return 1;
	case -ENOMEM:
		return ret;
	case -EINTR:
	case -ERESTARTSYS:
		run->exit_reason = DUNE_EXIT_INTERRUPTED;
		return 0;
	default:
		run->exit_reason = DUNE_EXIT_MEMORY_FAULT;
		run->fault.gpa = gpa;
		run->fault.flags = flags;
		return 0;
	}
}
