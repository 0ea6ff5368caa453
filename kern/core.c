// SPDX-License-Identifier: GPL-2.0-only
/* /dev/dune: loading the module, and who may open the device. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <asm/processor.h>

#include "hypervisor.h"
#include "uapi/layout.h"	/* asserts */

static const struct vendor_ops *chosen_vendor __ro_after_init;

const struct vendor_ops *vendor(void)
{
	return chosen_vendor;
}

/* A CPU that has neither gets the explanation of its maker's. */
static const struct vendor_ops *choose_vendor(void)
{
	if (boot_cpu_has(X86_FEATURE_SVM))
		return &svm_ops;
	if (boot_cpu_has(X86_FEATURE_VMX) || boot_cpu_data.x86_vendor == X86_VENDOR_INTEL)
		return &vmx_ops;
	return &svm_ops;
}

static int dune_open(struct inode *inode, struct file *file)
{
	return vm_create(file);
}

static const struct file_operations dune_fops = {
	.owner = THIS_MODULE,
	.open = dune_open,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
};

/* Whoever may open this runs code at CPL 0 of a VM: root, until a udev rule says otherwise. */
static struct miscdevice dune_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dune",
	.fops = &dune_fops,
	.mode = 0600,
};

static int __init dune_init(void)
{
	int ret;

	chosen_vendor = choose_vendor();
	ret = vendor()->setup();
	if (ret)
		return ret;
	ret = shrinker_setup();
	if (ret)
		goto teardown;
	statistics_load();
	ret = misc_register(&dune_device);
	if (ret)
		goto unload_statistics;
	pr_info("%s, %u-bit guest-physical addresses\n", vendor()->name, tdp_gpa_bits());
	return 0;

unload_statistics:
	statistics_unload();
	shrinker_teardown();
teardown:
	vendor()->teardown();
	return ret;
}

static void __exit dune_exit(void)
{
	misc_deregister(&dune_device);
	statistics_unload();
	shrinker_teardown();
	vendor()->teardown();
}

module_init(dune_init);
module_exit(dune_exit);

MODULE_DESCRIPTION("Gives a process a privileged CPU mode, inside a virtual machine of its own");
MODULE_LICENSE("GPL");
