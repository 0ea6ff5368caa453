// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the interface forbids, written down once more from kern/uapi/dune.h and docs/uapi.md: a
 * check that the module has lost is found by these.
 */
#include <errno.h>

#include "fuzz.h"

#define CR0_GUEST  0x80010033ull	/* PG, WP, NE, ET, MP, PE */
#define CR0_WP	   (1ull << 16)
#define CR4_PAE	   (1ull << 5)
#define CR4_GUEST  (CR4_OSXSAVE | 1ull << 16 | 0x6a0)	/* FSGSBASE; OSXMMEXCPT OSFXSR PGE PAE */
#define EFER_GUEST 0xd01ull		/* NXE, LMA, LME, SCE */
#define HVA_END	   0x7ffffffff000ull	/* what a process can have mapped lies below */

bool rules_know(int error)
{
	static const int known[] = {
		0, EINVAL, EFAULT, EBUSY, EIO, ENOTTY, EEXIST, ENOSPC, ENOMEM, EBADF, EOPNOTSUPP,
		EMFILE, ENODEV, EPERM, EACCES, ESPIPE, EAGAIN, EINTR,
	};

	for (unsigned int i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (error == known[i])
			return true;
	}
	return false;
}

bool rules_refuse_slot(const struct dune_slot *slot, uint64_t gpa_end)
{
	return slot->slot >= RULES_MAX_SLOTS || slot->flags & ~DUNE_SLOT_READONLY ||
	       slot->reserved[0] || slot->reserved[1] ||
	       (slot->gpa | slot->size | slot->hva) % GUEST_PAGE ||
	       slot->gpa > gpa_end || slot->size > gpa_end - slot->gpa ||
	       slot->hva > HVA_END || slot->size > HVA_END - slot->hva;
}

static bool is_canonical(uint64_t address)
{
	return address + (1ull << 47) < 1ull << 48;
}

bool rules_refuse_state(const struct dune_state *state)
{
	return (state->cr0 | CR0_WP) != CR0_GUEST || state->efer != EFER_GUEST ||
	       !(state->cr4 & CR4_PAE) || state->cr4 & ~CR4_GUEST ||
	       !is_canonical(state->fs_base) || !is_canonical(state->gs_base) ||
	       !is_canonical(state->kernel_gs_base) || !is_canonical(state->lstar) ||
	       !is_canonical(state->gdt_base) || !is_canonical(state->idt_base) ||
	       !is_canonical(state->tss_base) ||
	       (state->gdt_limit | state->idt_limit | state->tss_limit) > 0xffff ||
	       (state->cs | state->ss | state->tss_selector) & 7 || state->pad0 || state->pad1 ||
	       state->reserved[0] || state->reserved[1] || state->reserved[2] || state->reserved[3];
}

bool rules_refuse_event(const struct dune_event *event)
{
	bool with_code = event->vector == 8 || event->vector == 17 ||
			 (event->vector >= 10 && event->vector <= 14);
	bool without = event->vector == 0 || event->vector == 1 || event->vector == 3 ||
		       event->vector == 6 || event->vector == 7 || event->vector == 16 ||
		       event->vector == 18 || event->vector == 19;

	return event->valid != 1 || event->pad || !(with_code || without) ||
	       event->has_error_code != with_code || event->error_code >> (with_code ? 15 : 0);
}
