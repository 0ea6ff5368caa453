// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guest's page table, walked as a processor does (SDM 3A 4.5, four levels): for the probe, and
 * for nothing that has to be fast.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include <dbos/mm.h>

#include "hv/host_syscall.h"
#include "hv/kvm.h"

#ifndef MADV_POPULATE_READ /* Linux 5.14; KVM_CAP_VCPU_ATTRIBUTES is of 5.16 */
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE_MASK (~0xfffull)

#define CR0_WP (1ull << 16)

bool kvm_gpa_to_hva(const struct kvm *vm, uint64_t gpa, uint64_t *hva)
{
	size_t count = __atomic_load_n(&vm->slot_count, __ATOMIC_ACQUIRE);

	for (size_t i = 0; i < count; i++) {
		const struct kvm_slot *slot = &vm->slots[i];

		if (gpa - slot->gpa < slot->size) {
			*hva = slot->hva + (gpa - slot->gpa);
			return true;
		}
	}
	return false;
}

bool kvm_accessible(uint64_t hva, bool write)
{
	return host_syscall(SYS_madvise, hva & PAGE_MASK, 4096,
			    write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ, 0, 0, 0) == 0;
}

/* What all levels allow together: W and U where each has them, NX where any has it. */
static bool allowed(uint64_t rights, const struct kvm_sregs *sregs, uint32_t access)
{
	if (access & DUNE_FAULT_EXEC && rights & DBOS_PTE_NX)
		return false;
	if (access & KVM_ACCESS_USER && !(rights & DBOS_PTE_U))
		return false;
	if (access & DUNE_FAULT_WRITE && !(rights & DBOS_PTE_W))
		return !(access & KVM_ACCESS_USER) && !(sregs->cr0 & CR0_WP);
	return true;
}

/* What the processor notes in the entry of a page it uses. */
static void mark(uint64_t *entry, uint32_t access)
{
	uint64_t marks = DBOS_PTE_A | (access & DUNE_FAULT_WRITE ? DBOS_PTE_D : 0);

	if ((*entry & marks) != marks)
		__atomic_fetch_or(entry, marks, __ATOMIC_RELAXED);
}

enum kvm_walk kvm_walk(const struct kvm *vm, const struct kvm_sregs *sregs, uint64_t va,
		       uint32_t access, struct kvm_reach *to)
{
	uint64_t table = sregs->cr3 & DBOS_PTE_ADDR, rights = DBOS_PTE_W | DBOS_PTE_U;

	for (unsigned int shift = 39;; shift -= 9) {
		uint64_t hva, *slot, entry, page = (1ull << shift) - 1;

		to->gpa = table + (va >> shift & 511) * sizeof(entry);
		if (!kvm_gpa_to_hva(vm, to->gpa, &hva) || !kvm_accessible(hva, true))
			return KVM_WALK_TABLE_LOST;
		slot = (uint64_t *)hva;
		entry = __atomic_load_n(slot, __ATOMIC_RELAXED);
		if (!(entry & DBOS_PTE_P))
			return KVM_WALK_GUEST_FAULT;
		rights &= entry | ~(DBOS_PTE_W | DBOS_PTE_U);
		rights |= entry & DBOS_PTE_NX;
		if (shift == 12 || (entry & DBOS_PTE_PS && shift < 39)) {
			if (!allowed(rights, sregs, access))
				return KVM_WALK_GUEST_FAULT;
			mark(slot, access);
			to->gpa = (entry & DBOS_PTE_ADDR & ~page) | (va & page);
			to->user = rights & DBOS_PTE_U;
			return KVM_WALK_OK;
		}
		table = entry & DBOS_PTE_ADDR;
	}
}
