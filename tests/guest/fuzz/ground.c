// SPDX-License-Identifier: BSD-2-Clause
/*
 * A program's memory: what guests see through slots, and around it what must stay as it is.
 * Canaries lie right beside the guest's memory in this process, where an address that is off by a
 * little leads; the pages that the guest sees and may not write to are in slots of their own.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define PTE_PS (1ull << 7)

static void fill(void *page, uint64_t pattern)
{
	uint64_t *words = page;

	for (unsigned int i = 0; i < GUEST_PAGE / sizeof(*words); i++)
		words[i] = pattern ^ i;
}

static void expect_filled(const void *page, uint64_t pattern, const char *what)
{
	const uint64_t *words = page;

	for (unsigned int i = 0; i < GUEST_PAGE / sizeof(*words); i++)
		check(words[i] == (pattern ^ i), "%s has changed at 0x%zx: 0x%lx", what,
		      i * sizeof(*words), words[i]);
}

static unsigned char *map(void *address, size_t size, int protection, int flags, int file)
{
	unsigned char *memory = mmap(address, size, protection, flags, file, 0);

	check(memory != MAP_FAILED, "mmap: %s", strerror(errno));
	return memory;
}

static unsigned char *page_of_pattern(void *address, uint64_t pattern)
{
	fill(map(address, GUEST_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1), pattern);
	return address;
}

static void show(const struct machine *machine, unsigned int number, uint64_t gpa,
		 unsigned char *hva, uint64_t size, uint32_t flags)
{
	struct dune_slot slot = { .slot = number, .flags = flags, .gpa = gpa, .size = size,
				  .hva = (uint64_t)hva };

	check(ioctl(machine->vm, DUNE_SET_SLOT, &slot) == 0, "SET_SLOT %u: %s", number,
	      strerror(errno));
}

/* Again, if a request has taken it away. Refused where another slot is now. */
void ground_show_memory(const struct ground *ground, const struct machine *machine)
{
	struct dune_slot slot = { .size = MEMORY_SIZE, .hva = (uint64_t)ground->memory };

	ioctl(machine->vm, DUNE_SET_SLOT, &slot);
}

static unsigned char *private_page(struct ground *ground, void *address)
{
	uint64_t page[GUEST_PAGE / sizeof(uint64_t)];

	ground->file = memfd_create("fuzz", MFD_CLOEXEC);
	check(ground->file >= 0, "memfd_create: %s", strerror(errno));
	fill(page, ground->pattern);
	check(write(ground->file, page, sizeof(page)) == sizeof(page), "write");
	return map(address, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
		   ground->file);
}

/* Moves the machine's memory in between the canaries. */
void ground_create(struct ground *ground, struct machine *machine, uint64_t pattern)
{
	unsigned char *base = map(NULL, MEMORY_SIZE + GROUND_HOLE_SIZE + 16 * GUEST_PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	unsigned char *above = base + GUEST_PAGE + MEMORY_SIZE;

	ground->pattern = pattern;
	ground->canary = page_of_pattern(base, pattern);
	ground->memory = base + GUEST_PAGE;
	check(mremap(machine->memory, MEMORY_SIZE, MEMORY_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     ground->memory) != MAP_FAILED, "mremap: %s", strerror(errno));
	machine->memory = ground->memory;
	page_of_pattern(above, pattern);
	ground->read_only = page_of_pattern(above + GUEST_PAGE, pattern);
	check(mprotect(ground->read_only, GUEST_PAGE, PROT_READ) == 0, "mprotect");
	ground->shown = page_of_pattern(above + 2 * GUEST_PAGE, pattern);
	ground->private = private_page(ground, above + 3 * GUEST_PAGE);
	ground->hole = above + 8 * GUEST_PAGE;

	show(machine, 0, 0, ground->memory, MEMORY_SIZE, 0);
	show(machine, 1, GROUND_EXTRA, ground->read_only, GUEST_PAGE, 0);
	show(machine, 2, GROUND_EXTRA + GUEST_PAGE, ground->shown, GUEST_PAGE, DUNE_SLOT_READONLY);
	show(machine, 3, GROUND_EXTRA + 2 * GUEST_PAGE, ground->private, GUEST_PAGE, 0);
	guest_u64(machine, GUEST_PD)[1] = GROUND_EXTRA | PTE_P | PTE_W | PTE_U | PTE_PS;
}

void ground_check(const struct ground *ground)
{
	uint64_t page[GUEST_PAGE / sizeof(uint64_t)];

	expect_filled(ground->canary, ground->pattern, "the page below the guest's memory");
	expect_filled(ground->memory + MEMORY_SIZE, ground->pattern,
		      "the page above the guest's memory");
	expect_filled(ground->read_only, ground->pattern, "a page that is read-only to all");
	expect_filled(ground->shown, ground->pattern, "a page in a slot that is read-only");
	check(pread(ground->file, page, sizeof(page), 0) == sizeof(page), "pread");
	expect_filled(page, ground->pattern, "a file that is mapped privately");
}

void ground_disturb(const struct ground *ground, struct draw *draw)
{
	static const int protections[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC,
		PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	size_t first = below(draw, GROUND_SPARE_SIZE / GUEST_PAGE);
	size_t size = (1 + below(draw, GROUND_SPARE_SIZE / GUEST_PAGE - first)) * GUEST_PAGE;
	unsigned char *at = ground->memory + GUEST_SPARE + first * GUEST_PAGE;
	int protection = protections[below(draw, sizeof(protections) / sizeof(protections[0]))];

	switch (below(draw, 5)) {
	case 0:
		mprotect(at, size, protection);
		break;
	case 1:
		munmap(at, size);
		/* fall through */
	case 2:
		map(at, size, protection, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1);
		break;
	case 3:
		madvise(at, size, MADV_DONTNEED);
		break;
	default:
		madvise(at, size, one_in(draw, 2) ? MADV_PAGEOUT : MADV_HUGEPAGE);
	}
}
