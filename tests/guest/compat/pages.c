// SPDX-License-Identifier: BSD-2-Clause
/* The pool: counted references, pages at their physical addresses, and all of it given back. */
#include <unistd.h>

#include "compat/ring3.h"

#define AT ((char *)0x3c00000000)
#define POOL   (1 << 18)
#define ROUNDS 4000

static void references(void)
{
	struct page *pg = dune_page_alloc();
	physaddr_t pa = dune_page2pa(pg);

	check(pg && pg->ref == 1 && dune_page_isfrompool(pa) && dune_pa2page(pa) == pg, "a page");
	check(dune_page_get(pg) == pg && pg->ref == 2, "%lu references", pg->ref);
	dune_page_put(pg);
	check(dune_page_isfrompool(pa), "went with one reference left");
	dune_page_put(pg);
	check(!dune_page_isfrompool(pa) && pg->ref == 0, "did not go with the last");
	dune_page_put(pg);
	check(pg->ref == 0, "%lu references of a free page", pg->ref);
	check(!dune_page_isfrompool(dune_va_to_pa(&pg)), "the stack is no page");
}

/* In Dune a pointer is made of a physical address by a cast. */
static void at_own_address(void)
{
	struct page *pg = dune_page_alloc();
	char *page = (char *)dune_page2pa(pg), text[8] = "";
	int ends[2];

	strcpy(page, "through");
	check(!strcmp(dune_page2va(pg), "through"), "not the same page");
	check(dune_va_to_pa(page) == dune_page2pa(pg), "another address");
	check(dune_va_to_pa(dune_page2va(pg)) == dune_page2pa(pg), "another address");
	check(pipe(ends) == 0 && write(ends[1], page, 8) == 8, "the host does not find it");
	check(read(ends[0], text, 8) == 8 && !strcmp(text, "through"), "'%s'", text);
	dune_page_put(pg);
}

/* An entry that merely shows the pool holds no reference, or unmapping that would take one. */
static void shown(void)
{
	struct page *pg = dune_page_alloc();
	void *views[] = { dune_page2va(pg), (void *)dune_page2pa(pg) };
	ptent_t *pte;

	for (int i = 0; i < 2; i++) {
		check_ok(dune_vm_lookup(pgroot, views[i], CREATE_NONE, &pte));
		check(PTE_ADDR(*pte) == dune_page2pa(pg), "view %d leads elsewhere", i);
		check(!dune_vm_lookup_page(pgroot, views[i]), "view %d", i);
	}
	dune_page_put(pg);
}

static void mapped(void)
{
	struct page *pg = dune_page_alloc();

	check(!dune_vm_lookup_page(pgroot, AT), "nothing is mapped");
	check_ok(dune_vm_insert_page(pgroot, AT, pg, PERM_R | PERM_W));
	check(pg->ref == 2 && dune_vm_lookup_page(pgroot, AT + 5) == pg, "not inserted");
	*(volatile char *)AT = 'i';
	check(*(char *)dune_page2va(pg) == 'i', "another page");
	dune_page_put(pg);
	check(*(volatile char *)AT == 'i' && pg->ref == 1, "gone too early");
	dune_vm_unmap(pgroot, AT, PGSIZE);
	check(pg->ref == 0 && !dune_vm_lookup_page(pgroot, AT), "not gone");
	check_ok(dune_vm_map_pages(pgroot, AT, PGSIZE, PERM_R));
	check_ok(dune_vm_map_pages(pgroot, AT, PGSIZE, PERM_R));
	check(dune_vm_lookup_page(pgroot, AT)->ref == 1, "what was replaced");
}

/* The pool has many that were never used; those that come back are handed out first. */
static void come_back(void)
{
	static bool seen[POOL];
	int fresh = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct page *pg = dune_page_alloc();
		size_t number = pg ? PPN(dune_page2pa(pg)) % POOL : 0;

		check(pg, "no page after %d", i);
		fresh += !seen[number];
		seen[number] = true;
		memset(dune_page2va(pg), 0xff, PGSIZE);
		dune_page_put(pg);
	}
	check(fresh < ROUNDS / 10, "%d of %d were never used", fresh, ROUNDS);
}

/* Though they were used before. */
static void zeroed(void)
{
	size_t len = 64 * PGSIZE;

	check_ok(dune_vm_map_pages(pgroot, AT + BIG_PGSIZE, len, PERM_R));
	for (size_t i = 0; i < len; i += 8)
		check(!*(uint64_t *)(AT + BIG_PGSIZE + i), "byte %zu of a fresh page", i);
	dune_vm_unmap(pgroot, AT + BIG_PGSIZE, len);
}

int main(void)
{
	check(!dune_page_alloc(), "a page before dune_init()");
	check_ok(dune_init_and_enter());
	references();
	at_own_address();
	shown();
	mapped();
	come_back();
	zeroed();
	dune_page_stats();
	puts("pages: ok");
	return 0;
}
