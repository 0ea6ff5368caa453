/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * Written by `python -m lab.uapi` from dune.h: the layout that docs/uapi.md shows, asserted by
 * the compiler of the module and by that of every program that includes this.
 */
#ifndef DUNE_LAYOUT_H
#define DUNE_LAYOUT_H

#include "dune.h"

#define DUNE_AT(type, field, offset) \
	_Static_assert(__builtin_offsetof(struct type, field) == (offset), \
		       #type "." #field " is not where docs/uapi.md says")
#define DUNE_IS(value, number) \
	_Static_assert((value) == (number), #value " is not what docs/uapi.md says")

DUNE_AT(dune_info, version, 0);
DUNE_AT(dune_info, vendor, 4);
DUNE_AT(dune_info, gpa_bits, 8);
DUNE_AT(dune_info, max_slots, 12);
DUNE_AT(dune_info, max_vcpus, 16);
DUNE_AT(dune_info, run_size, 20);
DUNE_AT(dune_info, flags, 24);
DUNE_AT(dune_info, pad, 28);
DUNE_AT(dune_info, fast_paths, 32);
DUNE_AT(dune_info, reserved, 40);
DUNE_IS(sizeof(struct dune_info), 56);

DUNE_AT(dune_slot, slot, 0);
DUNE_AT(dune_slot, flags, 4);
DUNE_AT(dune_slot, gpa, 8);
DUNE_AT(dune_slot, size, 16);
DUNE_AT(dune_slot, hva, 24);
DUNE_AT(dune_slot, reserved, 32);
DUNE_IS(sizeof(struct dune_slot), 48);

DUNE_AT(dune_stats, tables, 0);
DUNE_AT(dune_stats, leaves, 8);
DUNE_AT(dune_stats, invalidations, 32);
DUNE_AT(dune_stats, retries, 40);
DUNE_AT(dune_stats, zapped, 48);
DUNE_AT(dune_stats, collapsed, 56);
DUNE_AT(dune_stats, dirtied, 64);
DUNE_AT(dune_stats, aged, 72);
DUNE_AT(dune_stats, reclaimed, 80);
DUNE_AT(dune_stats, reserved, 88);
DUNE_IS(sizeof(struct dune_stats), 128);

DUNE_AT(dune_regs, rax, 0);
DUNE_AT(dune_regs, rbx, 8);
DUNE_AT(dune_regs, rcx, 16);
DUNE_AT(dune_regs, rdx, 24);
DUNE_AT(dune_regs, rsi, 32);
DUNE_AT(dune_regs, rdi, 40);
DUNE_AT(dune_regs, rsp, 48);
DUNE_AT(dune_regs, rbp, 56);
DUNE_AT(dune_regs, r8, 64);
DUNE_AT(dune_regs, r9, 72);
DUNE_AT(dune_regs, r10, 80);
DUNE_AT(dune_regs, r11, 88);
DUNE_AT(dune_regs, r12, 96);
DUNE_AT(dune_regs, r13, 104);
DUNE_AT(dune_regs, r14, 112);
DUNE_AT(dune_regs, r15, 120);
DUNE_AT(dune_regs, rip, 128);
DUNE_AT(dune_regs, rflags, 136);
DUNE_IS(sizeof(struct dune_regs), 144);

DUNE_AT(dune_state, cr0, 0);
DUNE_AT(dune_state, cr3, 8);
DUNE_AT(dune_state, cr4, 16);
DUNE_AT(dune_state, efer, 24);
DUNE_AT(dune_state, fs_base, 32);
DUNE_AT(dune_state, gs_base, 40);
DUNE_AT(dune_state, kernel_gs_base, 48);
DUNE_AT(dune_state, star, 56);
DUNE_AT(dune_state, lstar, 64);
DUNE_AT(dune_state, sfmask, 72);
DUNE_AT(dune_state, gdt_base, 80);
DUNE_AT(dune_state, idt_base, 88);
DUNE_AT(dune_state, tss_base, 96);
DUNE_AT(dune_state, gdt_limit, 104);
DUNE_AT(dune_state, idt_limit, 108);
DUNE_AT(dune_state, tss_limit, 112);
DUNE_AT(dune_state, cs, 116);
DUNE_AT(dune_state, ss, 118);
DUNE_AT(dune_state, tss_selector, 120);
DUNE_AT(dune_state, pad0, 122);
DUNE_AT(dune_state, pad1, 124);
DUNE_AT(dune_state, reserved, 128);
DUNE_IS(sizeof(struct dune_state), 160);

DUNE_AT(dune_event, valid, 0);
DUNE_AT(dune_event, vector, 1);
DUNE_AT(dune_event, has_error_code, 2);
DUNE_AT(dune_event, pad, 3);
DUNE_AT(dune_event, error_code, 4);
DUNE_AT(dune_event, cr2, 8);
DUNE_IS(sizeof(struct dune_event), 16);

DUNE_AT(dune_run, immediate_exit, 0);
DUNE_AT(dune_run, pad0, 1);
DUNE_AT(dune_run, inject, 8);
DUNE_AT(dune_run, regs, 24);
DUNE_AT(dune_run, exit_reason, 168);
DUNE_AT(dune_run, pad1, 172);
DUNE_AT(dune_run, io.port, 176);
DUNE_AT(dune_run, io.size, 178);
DUNE_AT(dune_run, io.is_write, 179);
DUNE_AT(dune_run, io.pad, 180);
DUNE_AT(dune_run, fault.gpa, 176);
DUNE_AT(dune_run, fault.flags, 184);
DUNE_AT(dune_run, fault.pad, 188);
DUNE_AT(dune_run, hw.code, 176);
DUNE_AT(dune_run, hw.info1, 184);
DUNE_AT(dune_run, hw.info2, 192);
DUNE_AT(dune_run, space, 176);
DUNE_AT(dune_run, entries, 240);
DUNE_AT(dune_run, faults, 248);
DUNE_AT(dune_run, tlb_flushes, 256);
DUNE_AT(dune_run, interrupts, 264);
DUNE_AT(dune_run, interrupt_windows, 272);
DUNE_AT(dune_run, kicks, 280);
DUNE_AT(dune_run, reserved, 288);
DUNE_IS(sizeof(struct dune_run), 304);

DUNE_IS(DUNE_GET_INFO, 0x8038db00);
DUNE_IS(DUNE_SET_SLOT, 0x4030db01);
DUNE_IS(DUNE_CREATE_VCPU, 0x0000db02);
DUNE_IS(DUNE_GET_VERSION, 0x0000db03);
DUNE_IS(DUNE_GET_STATS, 0x8080db04);
DUNE_IS(DUNE_LEASE_KVM, 0x0000db05);
DUNE_IS(DUNE_RUN, 0x0000db10);
DUNE_IS(DUNE_GET_STATE, 0x80a0db11);
DUNE_IS(DUNE_SET_STATE, 0x40a0db12);
DUNE_IS(DUNE_INTERRUPT, 0x0000db13);

#undef DUNE_AT
#undef DUNE_IS

#endif /* DUNE_LAYOUT_H */
