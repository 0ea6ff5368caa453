// SPDX-License-Identifier: GPL-2.0-only
/*
 * Beside KVM: working inside the VMX operation that KVM has entered.
 *
 * Only one VMXON is possible, and on the newest kernels only KVM can make it. But VMPTRLD can be
 * done by anybody, and nothing else of KVM's state in a CPU is in our way (cpu.c puts KVM's current
 * VMCS back after each entry, vcpu.c waits for its MSRs). What we need is that KVM stays in VMX
 * operation, on all CPUs, also on those that come later. It does so as long as a VM of its own
 * exists, and that exists as long as its descriptor is open. So the process hands one over, as a
 * lease; it may be an empty one.
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/string.h>

#include "vmx/vmx.h"

/* KVM's, if it is there: named in the code, it would have to be loaded before us. */
bool file_is_kvm(struct file *file);

/* Where KVM is not to be asked, its descriptors' operations say whose they are (since 6.7). */
static bool looks_like_kvm(const struct file *file)
{
	const struct module *owner = file->f_op->owner;

	return owner && !strcmp(owner->name, "kvm_intel") &&
	       !strcmp(file->f_path.dentry->d_name.name, "kvm-vm");
}

bool vmx_is_lease(struct file *file)
{
	bool (*is_kvm)(struct file *file) = symbol_get(file_is_kvm);
	bool ret;

	if (!is_kvm)
		return looks_like_kvm(file);
	ret = is_kvm(file);
	symbol_put(file_is_kvm);
	return ret;
}
