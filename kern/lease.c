// SPDX-License-Identifier: GPL-2.0-only
/*
 * Beside KVM: working inside the SVM or VMX operation that KVM has entered.
 *
 * A CPU is in it once, for all. Two that both entered and left it would take it from each other,
 * and with VT-x on the newest kernels only KVM can enter it at all. But nothing keeps others from
 * using it, if they leave KVM's state as they found it (svm/beside.c, vmx/cpu.c; vcpu.c waits for
 * KVM's MSRs). What we need is that KVM stays in it, on all CPUs, also on those that come later. It
 * does so as long as a VM of its own exists, and that exists as long as its descriptor is open. So
 * the process hands one over, as a lease; it may be an empty one.
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/string.h>

#include "hypervisor.h"

/* KVM's, if it is there: named in the code, it would have to be loaded before us. */
bool file_is_kvm(struct file *file);

/* Where KVM is not to be asked, its descriptors' operations say whose they are (since 6.7). */
static bool looks_like_kvm(const struct file *file)
{
	const struct module *owner = file->f_op->owner;

	return owner && !strcmp(owner->name, vendor()->kvm_module) &&
	       !strcmp(file->f_path.dentry->d_name.name, "kvm-vm");
}

bool lease_valid(struct file *file)
{
	bool (*is_kvm)(struct file *file) = symbol_get(file_is_kvm);
	bool ret;

	if (!is_kvm)
		return looks_like_kvm(file);
	ret = is_kvm(file);
	symbol_put(file_is_kvm);
	return ret;
}
