// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an address of the process to the page behind it, faulting it in as the process itself
 * would. Two kinds of memory: pages with a struct page that GUP can reference, and the kernel's
 * special mappings (the vDSO's data page), which have none to reference and are only followed.
 */
#include <linux/mm.h>
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
	spinlock_t *lock;
	pte_t *pte;
	int ret = follow_pte(vma->vm_mm, hva, &pte, &lock);

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
	int ret = -EFAULT;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, hva);
	if (!vma || !(vma->vm_flags & (VM_IO | VM_PFNMAP)))
		goto unlock;
	ret = follow_special(vma, hva, pfn, writable);
	if (ret) {
		bool unlocked = false;

		ret = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
		if (!ret)
			ret = -EAGAIN;	/* faulted in: the guest's next try will find it */
		goto unlock;
	}
	if (!pfn_valid(*pfn) || (write && !*writable))
		ret = -EFAULT;
unlock:
	mmap_read_unlock(mm);
	return ret;
}

/*
 * On success *page, if not NULL, carries a reference for the caller to put. -EAGAIN means that
 * the page was only just faulted in and the caller should try again; callers running a guest get
 * that for free by running it.
 */
int host_page_get(struct mm_struct *mm, unsigned long hva, bool write, unsigned long *pfn,
		  bool *writable, struct page **page)
{
	int got;

	*writable = true;
	/* A page that is writable already is worth mapping so even for a read: one fault less. */
	got = get_user_pages_fast_only(hva, 1, FOLL_WRITE, page);
	if (got != 1 && write)
		got = get_user_pages_fast(hva, 1, FOLL_WRITE, page);
	if (got != 1 && !write) {
		got = get_user_pages_fast(hva, 1, 0, page);
		*writable = false;
	}
	if (got == 1) {
		*pfn = page_to_pfn(*page);
		return 0;
	}
	*page = NULL;
	if (got == -EFAULT)
		return get_special(mm, hva, write, pfn, writable);
	return got < 0 ? got : -EFAULT;
}
