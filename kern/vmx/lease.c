// SPDX-License-Identifier: GPL-2.0-only
/*
 * Beside KVM: working inside the VMX operation that KVM has entered.
 *
 * Only one VMXON is possible, and on the newest kernels only KVM can make it. But VMPTRLD can be
 * done by anybody, and nothing else of KVM's state in a CPU is in our way (cpu.c puts KVM's current
 * VMCS back after each entry). What we need is that KVM stays in VMX operation, on all CPUs, also on
 * those that come later. It does so as long as a VM of its own exists, and that exists as long as
 * its descriptor is open. So the process hands one over, as a lease; it may be an empty one.
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/string.h>

#include "vmx/vmx.h"

/*
 * KVM exports a function that tells, but a reference to it would load KVM together with us. Its
 * descriptors' operations belong to kvm_intel, and this is the name of those that are VMs.
 */
bool vmx_is_lease(const struct file *file)
{
	const struct module *owner = file->f_op->owner;

	return owner && !strcmp(owner->name, "kvm_intel") &&
	       file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(file->f_path.dentry->d_name.name, "kvm-vm");
}
