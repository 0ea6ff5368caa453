/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels this module is compiled for, 6.1 to 7.2, each with its reason.
 *
 * Stable kernels take interface changes too, so this asks the headers and not the version, by
 * macros where they can tell, by Kbuild's HAVE_* where they can't. Conditionals about the CPU (is
 * there such a feature bit?) are not here but where the feature is used.
 */
#ifndef DUNE_COMPAT_H
#define DUNE_COMPAT_H

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/shrinker.h>
#include <linux/syscore_ops.h>
#include <linux/thread_info.h>
#include <asm/msr.h>
#include <asm/svm.h>

/* CPUID moved out of <asm/processor.h>. */
#ifdef HAVE_CPUID_API
#include <asm/cpuid/api.h>
#else
#include <asm/processor.h>
#endif

/* So did load_gs_index(), out of <asm/special_insns.h>. */
#ifdef HAVE_GSSEG
#include <asm/gsseg.h>
#endif

/* The accessors of 64-bit MSRs were renamed. */
#ifdef rdmsrq
#define rdmsrl(msr, value)	rdmsrq(msr, value)
#define rdmsrl_safe(msr, value)	rdmsrq_safe(msr, value)
#define wrmsrl(msr, value)	wrmsrq(msr, value)
#endif

/* The VMCB got other names for offset 0x90, and its exit code became one field of 64 bits. */
#ifdef SVM_MISC_ENABLE_NP
#define nested_ctl			misc_ctl
#define SVM_NESTED_CTL_NP_ENABLE	SVM_MISC_ENABLE_NP
#endif

/* Callbacks that ask whether a page is young return a bool. */
#ifdef HAVE_BOOL_YOUNG
typedef bool young_t;
#else
typedef int young_t;
#endif

/* Since per-VMA locks, vm_flags are written by functions alone. */
#ifndef HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}
#endif

/* Not every kernel knows these reasons to go to user space. */
#ifndef _TIF_NEED_RESCHED_LAZY
#define _TIF_NEED_RESCHED_LAZY 0
#endif
#ifndef _TIF_USER_RETURN_NOTIFY
#define _TIF_USER_RETURN_NOTIFY 0
#endif

/* Operations of the last CPU at suspend are constant now, and handed a pointer. */
#ifdef HAVE_REGISTER_SYSCORE
#define SYSCORE_ARGUMENTS void *data
#define DEFINE_SYSCORE(name, suspend_, resume_, shutdown_)			\
	static const struct syscore_ops name##_ops = {				\
		.suspend = suspend_, .resume = resume_, .shutdown = shutdown_,	\
	};									\
	static struct syscore name = { .ops = &name##_ops }
#else
#define SYSCORE_ARGUMENTS void
#define DEFINE_SYSCORE(name, suspend_, resume_, shutdown_)			\
	static struct syscore_ops name = {					\
		.suspend = suspend_, .resume = resume_, .shutdown = shutdown_,	\
	}
#define register_syscore	register_syscore_ops
#define unregister_syscore	unregister_syscore_ops
#endif

/* Shrinkers are allocated by the kernel now, and in use only once they are complete. */
#ifdef HAVE_SHRINKER_ALLOC
static inline int shrinker_start(struct shrinker **shrinker, const struct shrinker *template,
				 const char *name)
{
	*shrinker = shrinker_alloc(0, name);
	if (!*shrinker)
		return -ENOMEM;
	(*shrinker)->count_objects = template->count_objects;
	(*shrinker)->scan_objects = template->scan_objects;
	shrinker_register(*shrinker);
	return 0;
}

static inline void shrinker_stop(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#else
static inline int shrinker_start(struct shrinker **shrinker, struct shrinker *template,
				 const char *name)
{
	*shrinker = template;
	return register_shrinker(template, name);
}

static inline void shrinker_stop(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
}
#endif

#endif /* DUNE_COMPAT_H */
