// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/zoo: write the name of a fault and it happens, once per write.
 *
 * There is no lock: two processes may commit two faults at the same time.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "zoo.h"

#define NAME_BYTES 32

static const struct zoo_fault *const families[] = {
	zoo_complaints, zoo_oopses, zoo_memory, zoo_locking, zoo_races, zoo_stuck, zoo_panics,
};

static const struct zoo_fault *zoo_find(const char *name)
{
	const struct zoo_fault *fault;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		for (fault = families[i]; fault->name; fault++)
			if (!strcmp(fault->name, name))
				return fault;
	return NULL;
}

static ssize_t zoo_write(struct file *file, const char __user *buffer, size_t size, loff_t *at)
{
	const struct zoo_fault *fault;
	char name[NAME_BYTES];

	if (size >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buffer, size))
		return -EFAULT;
	name[size] = '\0';
	fault = zoo_find(strim(name));
	if (!fault)
		return -ENOENT;
	fault->run();
	return size;
}

static const struct file_operations zoo_fops = {
	.owner = THIS_MODULE,
	.write = zoo_write,
};

static struct miscdevice zoo_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "zoo",
	.fops = &zoo_fops,
	.mode = 0200,
};

module_misc_device(zoo_device);

MODULE_DESCRIPTION("Breaks the kernel on request, for tests of what watches it");
MODULE_LICENSE("GPL");
