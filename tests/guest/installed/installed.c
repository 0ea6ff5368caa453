// SPDX-License-Identifier: BSD-2-Clause
/*
 * A program that knows of libdbos what is installed: its headers and the flags of dbos.pc. Linked
 * with the shared library and with the archive.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>
#include <dbos/smp.h>
#include <dune.h>

static int faults;

/* A variable of the library's that programs name: there must be one of it. */
static bool knows_its_table(void)
{
	return dune_init(true) == 0 && pgroot &&
	       dune_root_to_pa((unsigned long)pgroot) == PTE_ADDR(read_cr3());
}

static enum dbos_verdict repair(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)va;
	(void)fec;
	(void)tf;
	faults++;
	mprotect(arg, DBOS_PAGE_SIZE, PROT_READ | PROT_WRITE);
	return DBOS_HANDLED;
}

int main(void)
{
	int ret = dbos_init();
	uintptr_t lo;
	char *page;

	if (!ret)
		ret = dbos_enter();
	if (ret) {
		fprintf(stderr, "installed: %s\n", strerror(-ret));
		return 1;
	}
	page = mmap(NULL, DBOS_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	lo = (uintptr_t)page;
	ret = dbos_on_fault(dbos_instance(), lo, lo + DBOS_PAGE_SIZE, repair, page);
	page[0] = 'x';
	printf("installed: vCPU %d, %d fault, %s\n", dbos_self(), faults,
	       dbos_inside() && ret == 0 && page[0] == 'x' && knows_its_table() ? "ok" : "wrong");
	return 0;
}
