// SPDX-License-Identifier: BSD-2-Clause
/* Reserved and forbidden bits: of control registers, by either way in, and of page tables. */
#include <errno.h>
#include <sys/ioctl.h>

#include "conformance.h"

#define CR0_WP	 (1ull << 16)
#define CR4_PAE	 (1ull << 5)

static bool accepted(const struct machine *machine, const struct dune_state *state)
{
	int ret = ioctl(machine->vcpu, DUNE_SET_STATE, state);

	check(ret == 0 || errno == EINVAL, "SET_STATE: %s", strerror(errno));
	return ret == 0;
}

CASE(state_cr0_bits)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	for (int bit = 0; bit < 64; bit++) {
		machine_get_state(&machine, &state);
		state.cr0 ^= 1ull << bit;
		check(accepted(&machine, &state) == ((1ull << bit) == CR0_WP), "bit %d", bit);
		state.cr0 ^= 1ull << bit;
		machine_set_state(&machine, &state);
	}
}

CASE(state_cr4_bits)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	for (int bit = 0; bit < 64; bit++) {
		uint64_t flag = 1ull << bit;

		machine_get_state(&machine, &state);
		/* A new vCPU has all that it may have; PAE is not to be had without. */
		if (state.cr4 & flag) {
			state.cr4 &= ~flag;
			check(accepted(&machine, &state) == (flag != CR4_PAE), "bit %d cleared",
			      bit);
			state.cr4 |= flag;
			machine_set_state(&machine, &state);
		} else {
			state.cr4 |= flag;
			check(!accepted(&machine, &state), "bit %d set", bit);
		}
	}
}

CASE(state_efer_bits)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	for (int bit = 0; bit < 64; bit++) {
		machine_get_state(&machine, &state);
		state.efer ^= 1ull << bit;
		check(!accepted(&machine, &state), "bit %d", bit);
	}
}

static unsigned int gpa_bits(const struct machine *machine)
{
	struct dune_info info;

	check(ioctl(machine->vm, DUNE_GET_INFO, &info) == 0, "GET_INFO: %s", strerror(errno));
	return info.gpa_bits;
}

CASE(state_cr3_bits)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	for (int bit = 52; bit < 64; bit++) {
		machine_get_state(&machine, &state);
		state.cr3 |= 1ull << bit;
		check(!accepted(&machine, &state), "bit %d", bit);
	}
}

/* What an entry would trip over is refused before: addresses, limits, selectors. */
CASE(state_invalid_fields)
{
	struct machine machine;
	struct dune_state good, bad;

#define REFUSED(field, value)                                                     \
	do {                                                                      \
		bad = good;                                                       \
		bad.field = (value);                                              \
		check(!accepted(&machine, &bad), #field " = " #value);            \
	} while (0)

	machine_create(&machine);
	machine_get_state(&machine, &good);
	REFUSED(fs_base, 1ull << 47);
	REFUSED(gs_base, 1ull << 63);
	REFUSED(kernel_gs_base, 1ull << 48);
	REFUSED(lstar, 0xffff000000000000);
	REFUSED(gdt_base, 1ull << 60);
	REFUSED(idt_base, 1ull << 60);
	REFUSED(tss_base, 1ull << 60);
	REFUSED(gdt_limit, 0x10000);
	REFUSED(idt_limit, ~0u);
	REFUSED(tss_limit, 0x10000);
	REFUSED(cs, SELECTOR_USER_CODE);
	REFUSED(ss, SELECTOR_USER_DATA);
	REFUSED(tss_selector, SELECTOR_TSS | 4);
	REFUSED(pad0, 1);
	REFUSED(pad1, 1);
	REFUSED(reserved[0], 1);
	REFUSED(reserved[3], 1);
	machine_get_state(&machine, &bad);
	check(memcmp(&good, &bad, sizeof(good)) == 0, "a refused state left something behind");
	machine_set_state(&machine, &good);
#undef REFUSED
}

CASE(state_of_a_new_vcpu)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	machine.vcpu = ioctl(machine.vm, DUNE_CREATE_VCPU, 0);
	machine_get_state(&machine, &state);
	machine_set_state(&machine, &state);
}

GUEST(load_cr3, "mov %rax, %cr3; hlt");

CASE(cr3_reserved_bits)
{
	struct machine machine;

	machine_create(&machine);
	if (gpa_bits(&machine) >= 52)
		skip("no reserved bits below 52");
	skip_on_tcg("it ignores reserved bits in CR3");
	load(&machine, load_cr3);
	machine.run->regs.rax = GUEST_PML4 | 1ull << 51;
	expect_trap(&machine, GP, 0);
}

/* The access is done with the entry for GUEST_SPARE as given. */
GUEST(read_it, "mov $0x100000, %ebx; mov (%rbx), %rax; hlt");
GUEST(write_it, "mov $0x100000, %ebx; mov %rax, (%rbx); hlt");
GUEST(execute_it, "mov $0x100000, %ebx; jmp *%rbx");

static void expect_page_fault(uint64_t flip, const char *code, const char *end, uint64_t error_code)
{
	struct machine machine;
	uint64_t *pte;

	machine_create(&machine);
	pte = machine_pte(&machine, GUEST_SPARE);
	machine.memory[GUEST_SPARE] = 0xf4;	/* HLT */
	*pte ^= flip;
	machine_load(&machine, code, end);
	expect_trap(&machine, PF, error_code);
	/* Mended, it goes on. */
	*pte ^= flip;
	expect_exit(&machine, DUNE_EXIT_HLT);
}

CASE(pte_not_present)
{
	expect_page_fault(PTE_P, read_it, read_it_end, 0);
}

CASE(pte_not_writable)
{
	expect_page_fault(PTE_W, write_it, write_it_end, 3);
}

CASE(pte_not_executable)
{
	expect_page_fault(PTE_NX, execute_it, execute_it_end, 0x11);
}

CASE(pte_reserved_bits)
{
	struct machine machine;

	machine_create(&machine);
	if (gpa_bits(&machine) >= 51)
		skip("no reserved bits below 52");
	skip_on_tcg("its error code has RSVD without P");
	expect_page_fault(1ull << 51, read_it, read_it_end, 9);
	expect_page_fault(1ull << 51, write_it, write_it_end, 11);
}

CASE(pte_without_write_protection)
{
	struct machine machine;
	struct dune_state state;

	machine_create(&machine);
	machine_get_state(&machine, &state);
	state.cr0 &= ~CR0_WP;
	machine_set_state(&machine, &state);
	*machine_pte(&machine, GUEST_SPARE) &= ~PTE_W;
	load(&machine, write_it);
	expect_exit(&machine, DUNE_EXIT_HLT);
}

CASE(pte_accessed_and_dirty)
{
	struct machine machine;
	uint64_t *pte;

	machine_create(&machine);
	pte = machine_pte(&machine, GUEST_SPARE);
	check(!(*pte & 0x60), "0x%lx before", *pte);
	load(&machine, read_it);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check((*pte & 0x60) == 0x20, "0x%lx after a read", *pte);
	load(&machine, write_it);
	expect_exit(&machine, DUNE_EXIT_HLT);
	check((*pte & 0x60) == 0x60, "0x%lx after a write", *pte);
}
