// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory pressure: second-level tables hold nothing that a fault could not bring back, so the
 * kernel may have them. VMs give in turn, and each from where it gave last.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/shrinker.h>

#include "hypervisor.h"

static LIST_HEAD(vms);			/* by vm->shrink_list */
static DEFINE_MUTEX(vms_mutex);		/* never held across an allocation */

void shrinker_add(struct vm *vm)
{
	mutex_lock(&vms_mutex);
	list_add_tail(&vm->shrink_list, &vms);
	mutex_unlock(&vms_mutex);
}

void shrinker_remove(struct vm *vm)
{
	mutex_lock(&vms_mutex);
	list_del(&vm->shrink_list);
	mutex_unlock(&vms_mutex);
}

/* Frees about @want tables of @vm, or all there are. Returns how many. */
unsigned long memory_shrink(struct vm *vm, unsigned long want)
{
	u64 limit = 1ULL << tdp_gpa_bits();
	unsigned long freed = 0;
	bool wrapped = false;

	spin_lock(&vm->mmu_lock);
	while (freed < want) {
		u64 gpa = tdp_next(vm, vm->shrink_hand, limit);
		u64 before = vm->stats.tables;

		if (gpa == limit) {
			if (wrapped)
				break;
			wrapped = true;
			vm->shrink_hand = 0;
			continue;
		}
		vm->shrink_hand = ALIGN_DOWN(gpa, TDP_ZAP_PIECE) + TDP_ZAP_PIECE;
		tdp_zap(vm, gpa, vm->shrink_hand);
		freed += before - vm->stats.tables;
		cond_resched_lock(&vm->mmu_lock);
	}
	vm->stats.reclaimed += freed;
	spin_unlock(&vm->mmu_lock);
	return freed;
}

static unsigned long shrinker_count(struct shrinker *shrinker, struct shrink_control *control)
{
	unsigned long tables = 0;
	struct vm *vm;

	if (!mutex_trylock(&vms_mutex))
		return 0;
	list_for_each_entry(vm, &vms, shrink_list)
		tables += READ_ONCE(vm->stats.tables);
	mutex_unlock(&vms_mutex);
	return tables ?: SHRINK_EMPTY;
}

static unsigned long shrinker_scan(struct shrinker *shrinker, struct shrink_control *control)
{
	unsigned long freed = 0;
	struct vm *vm, *last;

	if (!mutex_trylock(&vms_mutex))
		return SHRINK_STOP;
	if (list_empty(&vms))
		goto unlock;
	last = list_last_entry(&vms, struct vm, shrink_list);
	do {
		vm = list_first_entry(&vms, struct vm, shrink_list);
		freed += memory_shrink(vm, control->nr_to_scan - freed);
		list_move_tail(&vm->shrink_list, &vms);
	} while (freed < control->nr_to_scan && vm != last);
unlock:
	mutex_unlock(&vms_mutex);
	return freed ?: SHRINK_STOP;
}

static struct shrinker template = {
	.count_objects = shrinker_count,
	.scan_objects = shrinker_scan,
	.seeks = DEFAULT_SEEKS,
};

static struct shrinker *shrinker;

int shrinker_setup(void)
{
	return shrinker_start(&shrinker, &template, "dune-tables");
}

void shrinker_teardown(void)
{
	shrinker_stop(shrinker);
}
