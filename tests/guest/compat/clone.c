// SPDX-License-Identifier: BSD-2-Clause
/* A second address space, copy on write, as a checkpoint is made of one. */
#include "compat/ring3.h"

#define AT    ((volatile char *)0x3800000000)
#define PAGES 8
#define FAR   ((void *)0x200000000000)
#define CLONES 200
#define LEN   (PAGES * PGSIZE)

static volatile int faults;

static void on_fault(uintptr_t addr, uint64_t fec, struct dune_tf *tf)
{
	faults++;
	if (addr == (uintptr_t)FAR) {
		tf->rip += 3;
		return;
	}
	dune_vm_default_pgflt_handler(addr, fec);
}

static void *at(int page)
{
	return (void *)(AT + page * PGSIZE);
}

static void all_are(char what)
{
	for (int i = 0; i < PAGES; i++)
		check(AT[i * PGSIZE] == what, "page %d is '%c'", i, AT[i * PGSIZE]);
}

/* A page that both have, and what is to be in its counter. */
static void refs(ptent_t *root, int page, uint64_t count)
{
	struct page *pg = dune_vm_lookup_page(root, at(page));

	check(pg && pg->ref == count, "page %d: %lu references", page, pg ? pg->ref : 0);
}

static void in_the_copy(ptent_t *copy)
{
	/* On the same stack: what is not copied is shared. */
	load_cr3((unsigned long)copy);
	check(PTE_ADDR(read_cr3()) == dune_root_to_pa((unsigned long)copy), "not loaded");
	all_are('a');
	AT[0] = 'c';
	AT[PGSIZE] = 'c';
	check(faults == 2, "%d faults", faults);
	refs(copy, 0, 1);
	load_cr3((unsigned long)pgroot);
}

static void checkpoint(void)
{
	ptent_t *copy = dune_vm_clone(pgroot);
	struct page *last;

	check(copy, "no clone");
	refs(pgroot, 0, 2);
	check_ok(dune_vm_mprotect(pgroot, at(0), LEN, PERM_R | PERM_COW));
	check_ok(dune_vm_mprotect(copy, at(0), LEN, PERM_R | PERM_COW));
	faults = 0;
	in_the_copy(copy);
	all_are('a');
	refs(pgroot, 0, 1);
	refs(pgroot, 2, 2);

	/* The last reference is not copied. */
	last = dune_vm_lookup_page(pgroot, at(0));
	AT[0] = 'b';
	check(dune_vm_lookup_page(pgroot, at(0)) == last, "the last reference was copied");
	AT[2 * PGSIZE] = 'b';
	check(faults == 4, "%d faults", faults);
	load_cr3((unsigned long)copy);
	check(AT[0] == 'c' && AT[2 * PGSIZE] == 'a', "'%c', '%c'", AT[0], AT[2 * PGSIZE]);
	load_cr3((unsigned long)pgroot);
	refs(pgroot, 3, 2);
	dune_vm_free(copy);
	refs(pgroot, 3, 1);
	AT[0] = AT[2 * PGSIZE] = 'a';
	for (int i = 0; i < PAGES; i++)
		AT[i * PGSIZE] = 'a';
	all_are('a');
}

/* Or each would have frames that were never used. */
static void tables_come_back(void)
{
	physaddr_t first = 0;
	int again = 0;

	for (int i = 0; i < CLONES; i++) {
		ptent_t *copy = dune_vm_clone(pgroot);
		physaddr_t root = dune_root_to_pa((unsigned long)copy);

		check(copy, "no clone");
		again += root <= first;
		if (root > first)
			first = root;
		dune_vm_free(copy);
	}
	check(again > CLONES / 2, "%d of %d", again, CLONES);
}

/* What libdbos would bring into reach in its own table only: a fault, once. */
static void far_memory(void)
{
	ptent_t *copy = dune_vm_clone(pgroot);
	void *far = mmap(FAR, PGSIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	check(copy && far == FAR, "mmap");
	faults = 0;
	load_cr3((unsigned long)copy);
	/* Three bytes. */
	__asm__ volatile("movb $1, (%0)" : : "D"(FAR) : "memory");
	load_cr3((unsigned long)pgroot);
	check(faults == 1, "%d faults", faults);
	*(volatile char *)FAR = 'f';
	load_cr3((unsigned long)copy);
	__asm__ volatile("movb $1, (%0)" : : "D"(FAR) : "memory");
	load_cr3((unsigned long)pgroot);
	check(faults == 2 && *(volatile char *)FAR == 'f', "%d faults", faults);
	dune_vm_free(copy);
}

/* Memory of the process itself can be copied on write too. */
static void own_memory(void)
{
	volatile char *own = memory(PGSIZE);
	uintptr_t pa = dune_va_to_pa((void *)own);

	*own = 'o';
	check_ok(dune_vm_mprotect(pgroot, (void *)own, PGSIZE, PERM_R | PERM_COW));
	*own = 'p';
	check(dune_vm_lookup_page(pgroot, (void *)own), "it was not copied");
	check_ok(dune_vm_map_phys(pgroot, at(PAGES), PGSIZE, (void *)pa, PERM_R));
	check(*own == 'p' && AT[LEN] == 'o', "'%c', '%c'", *own, AT[LEN]);
	check_ok(dune_vm_map_phys(pgroot, (void *)own, PGSIZE, (void *)pa, PERM_R | PERM_W));
	check(*own == 'o', "not back");
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3;

	check_ok(dune_init_and_enter());
	dune_register_pgflt_handler(on_fault);
	check_ok(dune_vm_map_pages(pgroot, at(0), LEN, PERM_R | PERM_W));
	check(!AT[0] && !AT[LEN - 1], "not zero");
	for (int i = 0; i < PAGES; i++)
		AT[i * PGSIZE] = 'a';
	for (int i = 0; i < rounds; i++)
		checkpoint();
	tables_come_back();
	far_memory();
	own_memory();
	puts("clone: ok");
	return 0;
}
