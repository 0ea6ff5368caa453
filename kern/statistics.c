// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/dune/PROCESS-NUMBER/statistics: what each VM has done since it was created, for
 * root, for as long as the VM lives. PROCESS is who opened /dev/dune; NUMBER counts VMs since the
 * module was loaded, for a descriptor has no number yet while it is being opened, and may get many.
 *
 * As everywhere in debugfs, a failure to create a file is none of ours: the VM works without it.
 */
#include <linux/debugfs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#define CREATE_TRACE_POINTS
#include "statistics.h"

struct exit_name {
	u64 code;			/* newer headers have -1 in 64 bits; the low half counts */
	const char *name;
};

static const struct exit_name svm_exit_names[] = { SVM_EXIT_REASONS };
static const struct exit_name vmx_exit_names[] = { VMX_EXIT_REASONS };

static struct dentry *directory;
static atomic64_t last_vm;

static const char *exit_name(u32 code)
{
	bool svm = vendor()->id == DUNE_VENDOR_SVM;
	const struct exit_name *names = svm ? svm_exit_names : vmx_exit_names;
	size_t count = svm ? ARRAY_SIZE(svm_exit_names) : ARRAY_SIZE(vmx_exit_names);
	size_t i;

	for (i = 0; i < count; i++) {
		if ((u32)names[i].code == code)
			return names[i].name;
	}
	return "unnamed";
}

static u64 sum(const struct vm *vm, size_t offset)
{
	u64 total = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		total += READ_ONCE(*(u64 *)((void *)per_cpu_ptr(vm->statistics, cpu) + offset));
	return total;
}

#define SUM(vm, counter) sum(vm, offsetof(struct vm_statistics, counter))

static u64 sum_exits(const struct vm *vm, unsigned int counter)
{
	return sum(vm, offsetof(struct vm_statistics, exits) + counter * sizeof(u64));
}

static int statistics_show(struct seq_file *file, void *unused)
{
	const struct vm *vm = file->private;
	u64 count, exits = 0;
	unsigned int i;

	seq_printf(file, "faults %llu\n", SUM(vm, faults));
	seq_printf(file, "notifier_calls %llu\n", SUM(vm, notifier_calls));
	seq_printf(file, "shootdowns %llu\n", SUM(vm, shootdowns));
	seq_printf(file, "flushes_behind %llu\n", SUM(vm, flushes_behind));
	seq_printf(file, "injections %llu\n", SUM(vm, injections));
	for (i = 0; i < EXIT_COUNTERS; i++) {
		u32 code = i;

		count = sum_exits(vm, i);
		exits += count;
		if (!count)
			continue;
		if (i == EXIT_COUNTERS - 1) {
			seq_printf(file, "exit other %llu\n", count);
			continue;
		}
		if (i >= EXIT_CODES_LOW)
			code += EXIT_CODES_SVM - EXIT_CODES_LOW;
		seq_printf(file, "exit %#x %llu %s\n", code, count, exit_name(code));
	}
	/* Each entry ends in one exit. */
	seq_printf(file, "exits %llu\n", exits);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(statistics);

void statistics_load(void)
{
	directory = debugfs_create_dir("dune", NULL);
}

void statistics_unload(void)
{
	debugfs_remove(directory);
}

/* Before anything can be counted. */
int statistics_create(struct vm *vm)
{
	char name[32];

	vm->statistics = alloc_percpu_gfp(struct vm_statistics, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vm->statistics)
		return -ENOMEM;
	vm->id = atomic64_inc_return(&last_vm);
	snprintf(name, sizeof(name), "%d-%llu", task_tgid_nr(current), vm->id);
	vm->debugfs = debugfs_create_dir(name, directory);
	debugfs_create_file("statistics", 0400, vm->debugfs, vm, &statistics_fops);
	return 0;
}

/* Waits for readers. */
void statistics_destroy(struct vm *vm)
{
	debugfs_remove(vm->debugfs);
	free_percpu(vm->statistics);
}
