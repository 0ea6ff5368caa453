// SPDX-License-Identifier: BSD-2-Clause
/* What the process has mapped, also from a fault handler that interrupts malloc's and stdio's. */
#include <sys/mman.h>

#include <dune.h>

#include "check.h"

#define MORE 150

struct seen {
	int entries, stacks, heaps, vdsos, files, anonymous, own;
	unsigned long end;
};

static struct seen seen;
static char *page;

static void look(const struct dune_procmap_entry *entry)
{
	check(entry->begin >= seen.end && entry->end > entry->begin, "not in order");
	seen.end = entry->end;
	seen.entries++;
	seen.stacks += entry->type == PROCMAP_TYPE_STACK;
	seen.heaps += entry->type == PROCMAP_TYPE_HEAP;
	seen.vdsos += entry->type == PROCMAP_TYPE_VDSO;
	seen.anonymous += entry->type == PROCMAP_TYPE_ANONYMOUS;
	if (entry->type == PROCMAP_TYPE_FILE && entry->x && strstr(entry->path, "compat-maps")) {
		check(!entry->w && entry->p, "rights of our own code");
		seen.files += (uintptr_t)look - entry->begin < entry->end - entry->begin;
	}
	if (entry->begin == (uintptr_t)page) {
		check(!entry->r && !entry->w && !entry->x && !entry->p, "rights of our page");
		seen.own++;
	}
}

static int lines(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int count = 0, byte;

	check(maps, "no maps");
	while ((byte = getc(maps)) != EOF)
		count += byte == '\n';
	fclose(maps);
	return count;
}

static void on_fault(uintptr_t addr, uint64_t fec, struct dune_tf *tf)
{
	(void)fec;
	check(addr == (uintptr_t)page, "a fault at %#lx", addr);
	seen = (struct seen){ 0 };
	dune_procmap_iterate(look);
	dune_printf("fault: %s %d %.2f %c\n", "text", -7, 2.5, 'c');
	tf->rip += 3;
}

/* More lines than the kernel gives at once. */
static void map_more(void)
{
	for (int i = 0; i < MORE; i++) {
		int protection = i % 2 ? PROT_READ : PROT_READ | PROT_WRITE;

		check(mmap(NULL, PGSIZE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
			      MAP_FAILED, "mmap");
	}
}

int main(void)
{
	free(malloc(1));
	check_ok(dune_init_and_enter());
	page = mmap(NULL, PGSIZE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED, "mmap");
	map_more();
	dune_register_pgflt_handler(on_fault);
	/* Three bytes. */
	__asm__ volatile("movb $1, (%0)" : : "D"(page) : "memory");
	check(seen.entries == lines() || seen.entries + 1 == lines(), "%d of %d lines",
	      seen.entries, lines());
	check(seen.stacks == 1 && seen.heaps == 1 && seen.vdsos == 1, "%d stacks, %d heaps, %d",
	      seen.stacks, seen.heaps, seen.vdsos);
	check(seen.files == 1 && seen.own == 1 && seen.anonymous > MORE, "%d, %d, %d", seen.files,
	      seen.own, seen.anonymous);
	dune_procmap_dump();
	puts("maps: ok");
	return 0;
}
