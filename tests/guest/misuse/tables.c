// SPDX-License-Identifier: BSD-2-Clause
/* A page table that the program has broken. */
#include <unistd.h>

#include "misuse.h"

/* Not in any processor that the lab has, and in any with fewer than 52 physical bits reserved. */
#define RESERVED_BIT (1ull << 51)

#define VECTOR_BP 3

/* The last page of guest-physical space, where windows do not reach. */
static uint64_t beyond(void)
{
	struct dbos_caps caps;

	dbos_caps(dbos_instance(), &caps);
	return (1ull << caps.gpa_bits) - PAGE;
}

static void set_entry(const void *va, dbos_pte_t clear, dbos_pte_t set)
{
	volatile dbos_pte_t *pte;

	check_ok(dbos_pte(dbos_instance(), va, &pte));
	*pte = (*pte & ~clear) | set;
	dbos_invlpg((void *)va);
}

/* The entry of @level on the way to @va. */
static volatile dbos_pte_t *entry_at(const void *va, unsigned int level)
{
	uint64_t table = dbos_read_cr3() & DBOS_PTE_ADDR;
	volatile dbos_pte_t *entry;

	for (unsigned int shift = 39;; shift -= 9) {
		entry = dbos_frame_memory(dbos_instance(), table);
		entry += (uint64_t)va >> shift & 511;
		if (shift == 12 + 9 * (level - 1))
			return entry;
		check(!(*entry & DBOS_PTE_PS), "a leaf at shift %u", shift);
		table = *entry & DBOS_PTE_ADDR;
	}
}

static void read_at(const void *p, uint64_t address)
{
	expected->rip = (uint64_t)act_read_at;
	expected->address = address;
	act_read(p);
}

void reserved_bits(void)
{
	char *p = map(PAGE);

	enter();
	*p = 1;
	set_entry(p, 0, RESERVED_BIT);
	read_at(p, (uint64_t)p);
}

void page_beyond(void)
{
	char *p = map(PAGE);

	enter();
	*p = 1;
	set_entry(p, DBOS_PTE_ADDR, beyond());
	read_at(p + 8, beyond() + 8);
}

void fetch_beyond(void)
{
	char *p = map(PAGE);

	enter();
	*p = 1;
	set_entry(p, DBOS_PTE_ADDR | DBOS_PTE_NX, beyond());
	expected->rip = (uint64_t)p;
	expected->address = beyond();
	act_jump(p);
}

void table_beyond(void)
{
	volatile dbos_pte_t *pte;
	char *p = map(3 * DBOS_HUGE_SIZE);

	enter();
	/* Nothing else of the program's is in the range of that table. */
	p = (char *)(((uintptr_t)p + 2 * DBOS_HUGE_SIZE) & -DBOS_HUGE_SIZE);
	*p = 1;
	check_ok(dbos_pte(dbos_instance(), p, &pte));
	pte = entry_at(p, 2);
	*pte = (*pte & ~DBOS_PTE_ADDR) | beyond();
	dbos_invlpg(p);
	read_at(p, beyond());
}

/* On SVM, KVM raises a page fault at every attempt to take the last one, and never tells us. */
void cr3_beyond(void)
{
	enter();
	if (on_kvm())
		alarm(1);
	act_load_cr3(beyond());
}

void cr3_reserved(void)
{
	enter();
	expected->rip = (uint64_t)act_load_cr3_at;
	act_load_cr3(dbos_read_cr3() | RESERVED_BIT);
}

void cr3_empty(void)
{
	uint64_t gpa;

	enter();
	gpa = dbos_frame_alloc(dbos_instance());
	memset(dbos_frame_memory(dbos_instance(), gpa), 0, PAGE);
	act_load_cr3(gpa);
}

static enum dbos_verdict note_stack(void *arg, struct dbos_tf *tf)
{
	*(char **)arg = (char *)((uintptr_t)__builtin_frame_address(0) & -PAGE);
	(void)tf;
	return DBOS_HANDLED;
}

void no_trap_stack(void)
{
	char *stack = NULL;

	enter();
	check_ok(dbos_on_intr(dbos_instance(), VECTOR_BP, note_stack, &stack));
	__asm__ volatile("int3" : : : "memory");
	check(stack, "no breakpoint");
	for (int i = -4; i <= 1; i++)
		set_entry(stack + i * (long)PAGE, DBOS_PTE_P, 0);
	expected->rip = (uint64_t)act_ud2_at;
	act_ud2();
}

/* The stack on which traps begin is the page behind that of the GDT. */
void no_entry_stack(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} gdt;

	enter();
	__asm__ volatile("sgdt %0" : "=m"(gdt));
	set_entry((char *)(gdt.base & -PAGE) + PAGE, DBOS_PTE_P, 0);
	expected->rip = (uint64_t)act_ud2_at;
	act_ud2();
}
