// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process's side of a second-level fault: have the kernel bring the page in, as for an access
 * by the process itself, and read in the process's own page table what it made of it.
 *
 * Two kinds of memory: pages with a struct page that GUP can reference, and the kernel's special
 * mappings (the vDSO's data page), which have none to reference.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "hypervisor.h"

static int fault_in_special(struct mm_struct *mm, unsigned long hva, bool write)
{
	struct vm_area_struct *vma;
	bool unlocked = false;
	int ret = -EFAULT;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, hva);
	if (vma && vma->vm_flags & (VM_IO | VM_PFNMAP))
		ret = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
	mmap_read_unlock(mm);
	return ret;
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
	return fault_in_readable((const char __user *)hva, 1) == 0;
}

/*
 * For the calling process. On success *page carries a reference for the caller to put, or is NULL
 * for a special mapping. -EFAULT: the process may not do that.
 */
int host_page_fault_in(unsigned long hva, bool write, struct page **page)
{
	unsigned int flags = write ? FOLL_WRITE : 0;
	int got;

	if (get_user_pages_fast_only(hva, 1, flags, page) == 1)
		return 0;
	if (!is_mapped(current->mm, hva) && !grow_stack(hva))
		return -EFAULT;
	got = get_user_pages_fast(hva, 1, flags, page);
	if (got == 1)
		return 0;
	*page = NULL;
	if (got == -EFAULT)
		return fault_in_special(current->mm, hva, write);
	return got < 0 ? got : -EFAULT;
}

static bool describe(struct host_mapping *host, unsigned long hva, unsigned int level,
		     unsigned long pfn, u64 flags)
{
	unsigned long within = (hva >> PAGE_SHIFT) & ((1UL << (9 * (level - 1))) - 1);

	*host = (struct host_mapping){
		.pfn = pfn + within,
		.level = level,
		/* Not pte_write(): a shadow stack has that, and may not be stored to. */
		.write = flags & _PAGE_RW,
		.exec = !(flags & _PAGE_NX),
	};
	return true;
}

/*
 * Reads the process's page table without its locks. Interrupts off: nobody frees a table under us
 * then, since that takes an RCU grace period or an interrupt on every CPU, as for GUP. What we
 * read is true for as long as the caller holds mmu_lock and no invalidation covers @hva: whoever
 * changes an entry calls our notifier first. False: not present (also PROT_NONE, swapped out).
 *
 * Only the leaf's NX counts. With page-table isolation the top level has NX everywhere.
 */
bool host_page_walk(struct mm_struct *mm, unsigned long hva, struct host_mapping *host)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, hva));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;
	pte_t pte;

	if (!(pgd_flags(pgd) & _PAGE_PRESENT))
		return false;
	p4d = READ_ONCE(*p4d_offset_lockless(&pgd, pgd, hva));
	if (!(p4d_flags(p4d) & _PAGE_PRESENT))
		return false;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (!(pud_flags(pud) & _PAGE_PRESENT))
		return false;
	if (pud_flags(pud) & _PAGE_PSE)
		return describe(host, hva, 3, pud_pfn(pud), pud_flags(pud));
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!(pmd_flags(pmd) & _PAGE_PRESENT))
		return false;
	if (pmd_flags(pmd) & _PAGE_PSE)
		return describe(host, hva, 2, pmd_pfn(pmd), pmd_flags(pmd));
	pte = READ_ONCE(*pte_offset_kernel(&pmd, hva));
	if (!(pte_flags(pte) & _PAGE_PRESENT))
		return false;
	return describe(host, hva, 1, pte_pfn(pte), pte_flags(pte));
}
