// SPDX-License-Identifier: BSD-2-Clause
/* Appel and Li's primitives: protect pages, trap, unprotect one, and map one page twice. */
#include <cpuid.h>

#include "compat/ring3.h"

#define PAGES  64
#define ELSEWHERE ((char *)0x3000000000)

static char *heap;
static volatile int writes, reads;

/* Through the entry itself. */
static void on_write(uintptr_t addr, uint64_t fec, struct dune_tf *tf)
{
	ptent_t *pte;

	(void)tf;
	check(addr - (uintptr_t)heap < PAGES * PGSIZE, "not ours: %#lx", addr);
	check((fec & (FEC_P | FEC_W | FEC_U)) == (FEC_P | FEC_W), "error code %#lx", fec);
	check_ok(dune_vm_lookup(pgroot, (void *)addr, CREATE_NONE, &pte));
	check(PTE_ADDR(*pte) == dune_va_to_pa((void *)PGADDR(addr)), "not its memory");
	*pte |= PTE_W;
	dune_flush_tlb_one(addr);
	writes++;
}

/* By the call. */
static void on_any(uintptr_t addr, uint64_t fec, struct dune_tf *tf)
{
	(void)tf;
	check(!(fec & FEC_P), "error code %#lx", fec);
	check_ok(dune_vm_mprotect(pgroot, (void *)PGADDR(addr), PGSIZE, PERM_R | PERM_W));
	reads++;
}

/* Nobody has looked at it before. */
static void small_entries(void)
{
	char *fresh = memory(2 * BIG_PGSIZE) + BIG_PGSIZE;
	ptent_t *pte;

	check_ok(dune_vm_lookup(pgroot, fresh + 5 * PGSIZE, CREATE_NONE, &pte));
	check(!(*pte & PTE_PS) && PTE_ADDR(*pte) == dune_va_to_pa(fresh + 5 * PGSIZE),
	      "entry %#lx", *pte);
}

static void protect_and_trap(void)
{
	for (int i = 0; i < PAGES; i++)
		((volatile char *)heap)[i * PGSIZE] = i;
	dune_register_pgflt_handler(on_write);
	check_ok(dune_vm_mprotect(pgroot, heap, PAGES * PGSIZE, PERM_R));
	for (int i = 0; i < PAGES; i++)
		check(heap[i * PGSIZE] == i, "page %d lost", i);
	check(writes == 0, "reading trapped");
	for (int i = 0; i < 2 * PAGES; i++)
		((volatile char *)heap)[(i * 37 % PAGES) * PGSIZE] = i % PAGES;
	check(writes == PAGES, "%d traps", writes);

	dune_register_pgflt_handler(on_any);
	check_ok(dune_vm_mprotect(pgroot, heap, PAGES * PGSIZE, PERM_NONE));
	for (int i = 0; i < PAGES; i++)
		check(((volatile char *)heap)[(i * 37 % PAGES) * PGSIZE] == i, "page %d", i);
	check(reads == PAGES, "%d traps of reads", reads);
	check(dune_vm_mprotect(pgroot, heap, PGSIZE, PERM_W) < 0, "write without read");
}

/* The collector's view: rights that the mutator has not. */
static void map_twice(void)
{
	ptent_t *pte;

	check(dune_vm_lookup(pgroot, ELSEWHERE, CREATE_NONE, &pte) < 0, "an entry for nothing");
	check_ok(dune_vm_map_phys(pgroot, ELSEWHERE, PAGES * PGSIZE, (void *)dune_va_to_pa(heap),
				  PERM_R | PERM_W));
	check_ok(dune_vm_mprotect(pgroot, heap, PAGES * PGSIZE, PERM_NONE));
	((volatile char *)ELSEWHERE)[5 * PGSIZE + 1] = 'x';
	check(reads == PAGES, "the other view trapped");
	check(((volatile char *)heap)[5 * PGSIZE + 1] == 'x' && reads == PAGES + 1,
	      "not the same memory");
	dune_vm_unmap(pgroot, ELSEWHERE, PAGES * PGSIZE);
	check(dune_vm_lookup(pgroot, ELSEWHERE, CREATE_NONE, &pte) == 0 && !*pte, "still there");
}

static void map_big(void)
{
	char *at = ELSEWHERE + (1ul << 30);
	volatile char *big = memory(2 * BIG_PGSIZE);
	uintptr_t pa;
	ptent_t *pte;

	big += BIG_PGSIZE - (uintptr_t)big % BIG_PGSIZE;
	pa = dune_va_to_pa((void *)big);
	check(dune_vm_map_phys(pgroot, at + PGSIZE, BIG_PGSIZE, (void *)pa, PERM_R | PERM_BIG) < 0,
	      "a big page that is not aligned");
	check_ok(dune_vm_map_phys(pgroot, at, BIG_PGSIZE, (void *)pa,
				  PERM_R | PERM_W | PERM_BIG | PERM_USR1));
	check_ok(dune_vm_lookup(pgroot, at + 3 * PGSIZE, CREATE_NONE, &pte));
	check(*pte & PTE_PS && *pte & PTE_USR1 && PTE_ADDR(*pte) == pa, "entry %#lx", *pte);
	check(dune_vm_map_phys(pgroot, at + 2 * BIG_PGSIZE, BIG_PGSIZE, (void *)pa, PERM_W) < 0,
	      "write without read");
	at[7 * PGSIZE] = 'b';
	check(big[7 * PGSIZE] == 'b', "not there");
	check_ok(dune_vm_mprotect(pgroot, at + 4 * PGSIZE, PGSIZE, PERM_R | PERM_USR2));
	check_ok(dune_vm_lookup(pgroot, at + 4 * PGSIZE, CREATE_NONE, &pte));
	check((*pte & (PTE_PS | PTE_W | PTE_USR1 | PTE_USR2)) == PTE_USR2, "entry %#lx", *pte);
	check(PTE_ADDR(*pte) == pa + 4 * PGSIZE, "leads to %#lx", PTE_ADDR(*pte));
	at[5 * PGSIZE] = 'c';
	check(big[5 * PGSIZE] == 'c', "its neighbour was protected");
}

static bool has_gigabyte_pages(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && edx & 1u << 26;
}

/* Where the CPU has none it is refused. */
static void map_gigabyte(void)
{
	char *at = ELSEWHERE + 4 * BIG_1GB_PGSIZE;
	char *much = mmap(NULL, 2 * BIG_1GB_PGSIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ptent_t *pte;
	int ret;

	check(much != MAP_FAILED, "mmap");
	much += BIG_1GB_PGSIZE - (uintptr_t)much % BIG_1GB_PGSIZE;
	ret = dune_vm_map_phys(pgroot, at, BIG_1GB_PGSIZE, (void *)dune_va_to_pa(much),
			       PERM_R | PERM_W | PERM_UC | PERM_BIG_1GB);
	check((ret == 0) == has_gigabyte_pages(), "%d", ret);
	if (ret)
		return;
	check_ok(dune_vm_lookup(pgroot, at + 9 * BIG_PGSIZE, CREATE_NONE, &pte));
	check(*pte & PTE_PS && *pte & PTE_PCD && PTE_ADDR(*pte) == dune_va_to_pa(much),
	      "entry %#lx", *pte);
	at[9 * BIG_PGSIZE] = 'g';
	check(*(volatile char *)(much + 9 * BIG_PGSIZE) == 'g', "not there");
	dune_vm_unmap(pgroot, at, BIG_1GB_PGSIZE);
	check(!*pte, "still there");
}

int main(void)
{
	check(dune_vm_map_phys(NULL, 0, PGSIZE, 0, PERM_R) < 0, "mapped before dune_init()");
	check_ok(dune_init_and_enter());
	check(dune_vm_map_phys((ptent_t *)main, 0, PGSIZE, 0, PERM_R) < 0, "mapped in no table");
	small_entries();
	heap = memory(PAGES * PGSIZE);
	protect_and_trap();
	map_twice();
	map_big();
	map_gigabyte();
	puts("protect: ok");
	return 0;
}
