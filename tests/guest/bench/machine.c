// SPDX-License-Identifier: BSD-2-Clause
/* The guest's memory: the process's own, in 4 KiB pages, so that each is a fault of its own. */
#include <sys/mman.h>

#include "bench.h"

#define PRESENT_WRITABLE 3ul
#define LARGE		 0x80ul
#define LARGE_SIZE	 0x200000ul

struct gate {
	uint16_t offset_0, selector;
	uint8_t ist, type;
	uint16_t offset_16;
	uint32_t offset_32, reserved;
};

static uint64_t *words_at(const struct machine *machine, uint64_t address)
{
	return (uint64_t *)(machine->memory + address);
}

static void set_gate(struct machine *machine, unsigned int vector, uint64_t handler)
{
	((struct gate *)(machine->memory + GUEST_IDT))[vector] = (struct gate){
		.offset_0 = handler,
		.offset_16 = handler >> 16,
		.selector = SELECTOR_CODE,
		.type = 0x8e,	/* present, an interrupt gate */
	};
}

static void fill_tables(struct machine *machine)
{
	uint64_t *gdt = words_at(machine, GUEST_GDT);

	*words_at(machine, GUEST_PML4) = GUEST_PDPT | PRESENT_WRITABLE;
	*words_at(machine, GUEST_PDPT) = GUEST_PD | PRESENT_WRITABLE;
	for (uint64_t page = 0; page < MEMORY_SIZE; page += LARGE_SIZE)
		words_at(machine, GUEST_PD)[page / LARGE_SIZE] = page | LARGE | PRESENT_WRITABLE;
	gdt[SELECTOR_CODE / 8] = 0x00af9b000000ffff;
	gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
	set_gate(machine, 13, GUEST_ON_GP);
	set_gate(machine, VECTOR, GUEST_ON_IRQ);
}

static void map(void *at, size_t size)
{
	void *memory = mmap(at, size, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	check(memory == at, "mmap");
	check(madvise(memory, size, MADV_NOHUGEPAGE) == 0, "MADV_NOHUGEPAGE");
}

void machine_create(struct machine *machine, const struct hypervisor *hypervisor)
{
	*machine = (struct machine){ .hypervisor = hypervisor };
	machine->memory = mmap(NULL, MEMORY_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(machine->memory != MAP_FAILED, "mmap");
	map(machine->memory, MEMORY_SIZE);
	fill_tables(machine);
	hypervisor->create(machine);
}

void machine_destroy(struct machine *machine)
{
	machine->hypervisor->destroy(machine);
	check(munmap(machine->memory, MEMORY_SIZE) == 0, "munmap");
}

void machine_place(struct machine *machine, uint64_t address, const char *code, const char *end)
{
	memcpy(machine->memory + address, code, end - code);
}

void region_renew(struct machine *machine)
{
	map(machine->memory + REGION, REGION_SIZE);
}

void region_discard(struct machine *machine)
{
	check(madvise(machine->memory + REGION, REGION_SIZE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
}

void region_fill(struct machine *machine)
{
	region_discard(machine);
	for (size_t at = 0; at < REGION_SIZE; at += GUEST_PAGE)
		machine->memory[REGION + at] = 1;
}
