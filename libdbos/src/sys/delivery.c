// SPDX-License-Identifier: BSD-2-Clause
/*
 * Telling the guest of a fault takes the interrupt table, segments, a stack, and page tables on the
 * way to each. If the program has taken one of them away, by munmap() say, the processor faults
 * there once more, and telling the guest of that would go on for ever.
 */
#include <sys/syscall.h>

#include <dbos/mm.h>

#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "sys/delivery.h"

#define PAGE_MASK (~0xfffull)

#define POPULATE_WRITE 23	/* MADV_POPULATE_WRITE */

/* False: a table on the way to @va is not there. An entry without P is the guest's own fault. */
static bool has_tables(const struct dbos *dbos, uint64_t cr3, uint64_t va)
{
	uint64_t table = cr3 & DBOS_PTE_ADDR;

	for (unsigned int shift = 39;; shift -= 9) {
		uint64_t at, entry;

		if (!windows_va(&dbos->windows, table + (va >> shift & 511) * sizeof(entry), &at) ||
		    host_syscall(SYS_madvise, at & PAGE_MASK, DBOS_PAGE_SIZE, POPULATE_WRITE, 0, 0,
				 0))
			return false;
		entry = *(const volatile uint64_t *)at;
		if (!(entry & DBOS_PTE_P) || entry & DBOS_PTE_PS || shift == 12)
			return true;
		table = entry & DBOS_PTE_ADDR;
	}
}

static bool can_reach_handlers(struct vcpu *vcpu)
{
	const struct dbos *dbos = vcpu->dbos;
	const uint64_t needed[] = {
		(uint64_t)dbos->idt, (uint64_t)vcpu, vcpu->ist_top - 1, vcpu->trap_stack_hi - 1,
		(uint64_t)dbos_trap_stubs,
	};
	struct dune_state state;

	if (dbos->hv.ops->get_state(&vcpu->hv, &state))
		return false;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!has_tables(dbos, state.cr3, needed[i]))
			return false;
	}
	return true;
}

const char *delivery_obstacle(struct vcpu *vcpu, uint64_t va)
{
	const struct dbos *dbos = vcpu->dbos;
	uint64_t guard = vcpu->trap_stack_lo - GUARD_SIZE;

	if (va - guard < GUARD_SIZE)
		return "the trap stack has overflown";
	if (va - (uint64_t)vcpu < VCPU_MAPPING_SIZE)
		return "a vCPU's own memory is not there";
	if (va - (uint64_t)dbos->idt < DBOS_IDT_SIZE)
		return "the interrupt table is not there";
	if (va - (uint64_t)dbos->frames.memory < (uint64_t)dbos->frames.count * FRAME_SIZE &&
	    !can_reach_handlers(vcpu))
		return "a page table is not there";
	return NULL;
}
