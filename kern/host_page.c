// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an address of the process to the page behind it, faulting it in as the process itself
 * would. Two kinds of memory: pages with a struct page that GUP can reference, and the kernel's
 * special mappings (the vDSO's data page), which have none to reference and are only followed.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "hypervisor.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
static int follow_special(struct vm_area_struct *vma, unsigned long hva, unsigned long *pfn,
			  bool *writable)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = hva };
	int ret = follow_pfnmap_start(&args);

	if (ret)
		return ret;
	*pfn = args.pfn;
	*writable = args.writable;
	follow_pfnmap_end(&args);
	return 0;
}
#else
static int follow_special(struct vm_area_struct *vma, unsigned long hva, unsigned long *pfn,
			  bool *writable)
{
	spinlock_t *lock;	/* of the page-table page, taken by follow_pte() */
	pte_t *pte;
	int ret;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	ret = follow_pte(vma, hva, &pte, &lock);
#else
	ret = follow_pte(vma->vm_mm, hva, &pte, &lock);
#endif
	if (ret)
		return ret;
	*pfn = pte_pfn(*pte);
	*writable = pte_write(*pte);
	pte_unmap_unlock(pte, lock);
	return 0;
}
#endif

/*
 * Only RAM: a device's registers would need the device's memory type in the second-level table,
 * and no guest of ours has business with them.
 */
static int get_special(struct mm_struct *mm, unsigned long hva, bool write, unsigned long *pfn,
		       bool *writable)
{
	struct vm_area_struct *vma;
	bool unlocked = false;
	int ret = -EFAULT;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, hva);
	if (!vma || !(vma->vm_flags & (VM_IO | VM_PFNMAP)) ||
	    !(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
		goto unlock;
	ret = follow_special(vma, hva, pfn, writable);
	if (ret || (write && !*writable)) {
		ret = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
		if (!ret && unlocked)
			ret = -EAGAIN;	/* @vma may be gone; the guest's next try sees */
		if (!ret)
			ret = follow_special(vma, hva, pfn, writable);
	}
	if (!ret && (!page_is_ram(*pfn) || (write && !*writable)))
		ret = -EFAULT;
unlock:
	mmap_read_unlock(mm);
	return ret;
}

/* A page that is writable already is worth mapping so even for a read: one fault less. */
static bool get_present_writable(unsigned long hva, struct page **page)
{
	return get_user_pages_fast_only(hva, 1, FOLL_WRITE, page) == 1;
}

static bool is_mapped(struct mm_struct *mm, unsigned long hva)
{
	bool mapped;

	mmap_read_lock(mm);
	mapped = vma_lookup(mm, hva);
	mmap_read_unlock(mm);
	return mapped;
}

/*
 * Below a stack is nothing until a fault there makes it grow. GUP no longer does that (and says so
 * in the log), an access by the process does.
 */
static bool grow_stack(unsigned long hva)
{
	char byte;

	return get_user(byte, (char __user *)hva) == 0;
}

/*
 * For the calling process. On success *page, if not NULL, carries a reference for the caller to
 * put. -EAGAIN: the mappings changed meanwhile, try again. -EFAULT: the process may not do that.
 */
int host_page_get(unsigned long hva, bool write, unsigned long *pfn, bool *writable,
		  struct page **page)
{
	int got = 1;

	*writable = true;
	if (!get_present_writable(hva, page)) {
		*writable = write;
		if (!is_mapped(current->mm, hva) && !grow_stack(hva))
			return -EFAULT;
		got = get_user_pages_fast(hva, 1, write ? FOLL_WRITE : 0, page);
	}
	if (got == 1) {
		*pfn = page_to_pfn(*page);
		return 0;
	}
	*page = NULL;
	if (got == -EFAULT)
		return get_special(current->mm, hva, write, pfn, writable);
	return got < 0 ? got : -EFAULT;
}
