// SPDX-License-Identifier: GPL-2.0-only
/*
 * One open of /dev/dune is one virtual machine over the opener's address space. It lives until
 * the descriptor and those of all its vCPUs are closed.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "statistics.h"

/* The lease goes last: until hardware_put() returns, CPUs count on it. */
static void put_hardware(struct vm *vm)
{
	if (vm->has_hardware)
		hardware_put();
	if (vm->lease)
		fput(vm->lease);
}

int vm_create(struct file *file)
{
	struct vm *vm;
	int ret;

	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return -ENOMEM;
	kref_init(&vm->kref);
	mutex_init(&vm->slots_mutex);
	spin_lock_init(&vm->mmu_lock);
	if (!zalloc_cpumask_var(&vm->guest_cpus, GFP_KERNEL_ACCOUNT)) {
		ret = -ENOMEM;
		goto free_vm;
	}
	ret = statistics_create(vm);
	if (ret)
		goto free_mask;
	ret = hardware_get(false);
	vm->has_hardware = ret == 0;
	/* Somebody else has it. If that is KVM, the process will bring a lease. */
	if (ret && ret != -EBUSY)
		goto destroy_statistics;
	ret = memory_init(vm);
	if (ret)
		goto put_hardware;
	file->private_data = vm;
	return 0;

put_hardware:
	put_hardware(vm);
destroy_statistics:
	statistics_destroy(vm);
free_mask:
	free_cpumask_var(vm->guest_cpus);
free_vm:
	kfree(vm);
	return ret;
}

static void vm_destroy(struct kref *kref)
{
	struct vm *vm = container_of(kref, struct vm, kref);

	memory_destroy(vm);
	put_hardware(vm);
	statistics_destroy(vm);
	free_cpumask_var(vm->guest_cpus);
	kfree(vm);
}

void vm_put(struct vm *vm)
{
	kref_put(&vm->kref, vm_destroy);
}

int vm_release(struct inode *inode, struct file *file)
{
	vm_put(file->private_data);
	return 0;
}

static void leave_guest(void *unused)
{
	/* The interrupt that brought us here has already done it. */
}

/*
 * Every vCPU drops its cached translations before it runs another guest instruction. On return no
 * CPU can use a translation that was removed from the second-level table before the call.
 *
 * A vCPU sets its bit in guest_cpus and then reads the generation, with interrupts off from there
 * into the guest; we raise the generation and then read the bits. One of the two sees the other:
 * either it flushes at the entry it is making, or our interrupt makes it exit (an interrupt that
 * is pending at VMRUN/VMLAUNCH exits before the first guest instruction) and we wait for that.
 */
void vm_flush_tlb(struct vm *vm)
{
	note_shootdown(vm);
	atomic64_inc(&vm->tlb_generation);
	smp_mb__after_atomic();		/* pairs with enter_guest() */
	preempt_disable();
	smp_call_function_many(vm->guest_cpus, leave_guest, NULL, true);
	preempt_enable();
}

static long get_info(const struct vm *vm, void __user *user)
{
	struct dune_info info = {
		.flags = READ_ONCE(vm->has_hardware) ? 0 : DUNE_INFO_NEEDS_LEASE,
		.version = DUNE_API_VERSION,
		.vendor = vendor()->id,
		.gpa_bits = tdp_gpa_bits(),
		.max_slots = DUNE_MAX_SLOTS,
		.max_vcpus = DUNE_MAX_VCPUS,
		.run_size = PAGE_SIZE,
	};

	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static long lease(struct vm *vm, unsigned long fd)
{
	struct file *file;
	long ret;

	file = fget(fd);
	if (!file)
		return -EBADF;
	mutex_lock(&vm->slots_mutex);
	if (vm->has_hardware)
		ret = -EEXIST;
	else if (!lease_valid(file))
		ret = -EINVAL;
	else
		ret = hardware_get(true);
	if (!ret) {
		vm->lease = file;
		smp_store_release(&vm->has_hardware, true); /* after vm->lease */
	}
	mutex_unlock(&vm->slots_mutex);
	if (ret)
		fput(file);
	return ret;
}

static long set_slot(struct vm *vm, const void __user *user)
{
	struct dune_slot slot;

	if (copy_from_user(&slot, user, sizeof(slot)))
		return -EFAULT;
	return slot_set(vm, &slot);
}

static long get_stats(struct vm *vm, void __user *user)
{
	struct dune_stats stats;

	spin_lock(&vm->mmu_lock);
	stats = vm->stats;
	spin_unlock(&vm->mmu_lock);
	return copy_to_user(user, &stats, sizeof(stats)) ? -EFAULT : 0;
}

long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vm *vm = file->private_data;

	if (current->mm != vm->mm)
		return -EIO;

	switch (cmd) {
	case DUNE_GET_INFO:
		return get_info(vm, (void __user *)arg);
	case DUNE_GET_VERSION:
		return arg ? -EINVAL : DUNE_API_VERSION;
	case DUNE_SET_SLOT:
		return set_slot(vm, (const void __user *)arg);
	case DUNE_GET_STATS:
		return get_stats(vm, (void __user *)arg);
	case DUNE_CREATE_VCPU:
		if (arg)
			return -EINVAL;
		/* Pairs with lease(). */
		return smp_load_acquire(&vm->has_hardware) ? vcpu_create_fd(vm) : -EBUSY;
	case DUNE_LEASE_KVM:
		return lease(vm, arg);
	default:
		return -ENOTTY;
	}
}
