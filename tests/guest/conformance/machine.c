// SPDX-License-Identifier: BSD-2-Clause
/* A machine: tables in its memory, a vCPU that uses them, and ways to run it up to an event. */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "conformance.h"

extern const char trap_stubs[], trap_stubs_end[];

struct gate {
	uint16_t offset_0;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_16;
	uint32_t offset_32;
	uint32_t reserved;
};

#define GATE_INTERRUPT 0x8e	/* present, DPL 0, clears RFLAGS.IF */
#define STUB_SIZE      16

uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

const char *exit_name(enum dune_exit reason)
{
	static const char *const names[] = {
		[DUNE_EXIT_INTERRUPTED] = "INTERRUPTED", [DUNE_EXIT_IO] = "IO",
		[DUNE_EXIT_HLT] = "HLT",		 [DUNE_EXIT_MEMORY_FAULT] = "MEMORY_FAULT",
		[DUNE_EXIT_SHUTDOWN] = "SHUTDOWN",	 [DUNE_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[DUNE_EXIT_UNKNOWN] = "UNKNOWN",
	};

	return reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "of no name";
}

bool is_tcg(void)
{
	unsigned int eax, regs[3];

	__cpuid(0x40000000, eax, regs[0], regs[1], regs[2]);
	return memcmp(regs, "TCGTCGTCGTCG", sizeof(regs)) == 0;
}

void skip_on_tcg(const char *reason)
{
	if (is_tcg())
		skip("QEMU's TCG: %s", reason);
}

static struct gate *gate_of(struct machine *machine, unsigned int vector)
{
	return (struct gate *)(machine->memory + GUEST_IDT) + vector;
}

void machine_set_gate(struct machine *machine, unsigned int vector, uint64_t handler)
{
	*gate_of(machine, vector) = (struct gate){
		.offset_0 = handler,
		.offset_16 = handler >> 16,
		.offset_32 = handler >> 32,
		.selector = SELECTOR_CODE,
		.type = GATE_INTERRUPT,
	};
}

void machine_set_ist(struct machine *machine, unsigned int vector, unsigned int ist)
{
	gate_of(machine, vector)->ist = ist;
}

void machine_clear_gate(struct machine *machine, unsigned int vector)
{
	/* Not present: of type 0 it would be #GP before #NP. */
	gate_of(machine, vector)->type &= ~0x80;
}

uint64_t *machine_pte(struct machine *machine, uint64_t address)
{
	return guest_u64(machine, GUEST_PT) + address / GUEST_PAGE;
}

static void fill_tables(struct machine *machine)
{
	uint64_t *gdt = guest_u64(machine, GUEST_GDT);

	*guest_u64(machine, GUEST_PML4) = GUEST_PDPT | PTE_P | PTE_W | PTE_U;
	*guest_u64(machine, GUEST_PDPT) = GUEST_PD | PTE_P | PTE_W | PTE_U;
	*guest_u64(machine, GUEST_PD) = GUEST_PT | PTE_P | PTE_W | PTE_U;
	for (uint64_t page = GUEST_PAGE; page < MEMORY_SIZE; page += GUEST_PAGE)
		*machine_pte(machine, page) = page | PTE_P | PTE_W | PTE_U;

	gdt[SELECTOR_CODE / 8] = 0x00af9b000000ffff;
	gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
	gdt[SELECTOR_USER_DATA / 8] = 0x00cff3000000ffff;
	gdt[SELECTOR_USER_CODE / 8] = 0x00affb000000ffff;
	/* A busy 64-bit TSS, as a loaded one is, 104 bytes long. */
	gdt[SELECTOR_TSS / 8] = 0x00008b0000000067 | GUEST_TSS << 16;
	gdt[SELECTOR_ABSENT / 8] = 0x00cf13000000ffff;

	/* RSP0 and IST1 are not aligned to 8 in a TSS (SDM 3A 7.7). */
	memcpy(machine->memory + GUEST_TSS + 4, &(uint64_t){ GUEST_RSP0 }, 8);
	memcpy(machine->memory + GUEST_TSS + 36, &(uint64_t){ GUEST_IST1 }, 8);
	/* An I/O permission map that begins behind the limit: no port is the user's. */
	memcpy(machine->memory + GUEST_TSS + 102, &(uint16_t){ 104 }, 2);

	memcpy(machine->memory + GUEST_STUBS, trap_stubs, trap_stubs_end - trap_stubs);
	for (unsigned int vector = 0; vector < 256; vector++)
		machine_set_gate(machine, vector, GUEST_STUBS + vector * STUB_SIZE);
}

void machine_get_state(const struct machine *machine, struct dune_state *state)
{
	check(ioctl(machine->vcpu, DUNE_GET_STATE, state) == 0, "GET_STATE: %s", strerror(errno));
}

void machine_set_state(const struct machine *machine, const struct dune_state *state)
{
	check(ioctl(machine->vcpu, DUNE_SET_STATE, state) == 0, "SET_STATE: %s", strerror(errno));
}

static void add_vcpu(struct machine *machine)
{
	struct dune_state state;

	machine->vcpu = ioctl(machine->vm, DUNE_CREATE_VCPU, 0);
	check(machine->vcpu >= 0, "CREATE_VCPU: %s", strerror(errno));
	machine->run = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, machine->vcpu, 0);
	check(machine->run != MAP_FAILED, "the run page: %s", strerror(errno));
	machine_get_state(machine, &state);
	state.cr3 = GUEST_PML4;
	state.gdt_base = GUEST_GDT;
	state.gdt_limit = 8 * 8 - 1;
	state.idt_base = GUEST_IDT;
	state.idt_limit = 256 * sizeof(struct gate) - 1;
	state.tss_base = GUEST_TSS;
	state.tss_limit = 103;
	state.tss_selector = SELECTOR_TSS;
	state.cs = SELECTOR_CODE;
	state.ss = SELECTOR_DATA;
	machine_set_state(machine, &state);
	machine->run->regs.rip = GUEST_CODE;
	machine->run->regs.rsp = GUEST_STACK;
	machine->run->regs.rflags = RFLAGS_FIXED;
}

void machine_create(struct machine *machine)
{
	struct dune_slot slot = { .size = MEMORY_SIZE };

	machine->vm = open("/dev/dune", O_RDWR | O_CLOEXEC);
	check(machine->vm >= 0, "/dev/dune: %s", strerror(errno));
	/* Shared: it keeps its contents when the second-level table is emptied. */
	machine->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(machine->memory != MAP_FAILED, "no memory: %s", strerror(errno));
	slot.hva = (uint64_t)machine->memory;
	check(ioctl(machine->vm, DUNE_SET_SLOT, &slot) == 0, "SET_SLOT: %s", strerror(errno));
	fill_tables(machine);
	add_vcpu(machine);
}

enum dune_vendor machine_vendor(const struct machine *machine)
{
	struct dune_info info;

	check(ioctl(machine->vm, DUNE_GET_INFO, &info) == 0, "GET_INFO: %s", strerror(errno));
	return info.vendor;
}

void machine_add_vcpu(const struct machine *machine, struct machine *sibling)
{
	*sibling = *machine;
	add_vcpu(sibling);
}

void machine_load(struct machine *machine, const char *code, const char *end)
{
	check(end - code <= (long)GUEST_CODE_SIZE, "the guest's code is too long");
	memcpy(machine->memory + GUEST_CODE, code, end - code);
	machine->run->regs.rip = GUEST_CODE;
	machine->run->regs.rsp = GUEST_STACK;
}

void machine_forget(struct machine *machine)
{
	check(madvise(machine->memory, MEMORY_SIZE, MADV_DONTNEED) == 0, "madvise: %s",
	      strerror(errno));
}

void machine_raise(const struct machine *machine, unsigned long vector)
{
	check(ioctl(machine->vcpu, DUNE_INTERRUPT, vector) == 0, "INTERRUPT %lu: %s", vector,
	      strerror(errno));
}

enum dune_exit machine_run(struct machine *machine)
{
	do {
		check(ioctl(machine->vcpu, DUNE_RUN, 0) == 0, "RUN: %s", strerror(errno));
	} while (machine->run->exit_reason == DUNE_EXIT_INTERRUPTED);
	return machine->run->exit_reason;
}

/* Where the guest stands: what a failed expectation has to say. */
static void describe(const struct machine *machine, char *text, size_t size)
{
	const struct dune_run *run = machine->run;

	if (run->exit_reason == DUNE_EXIT_IO && run->io.port == PORT_TRAP && run->io.is_write &&
	    run->regs.rsp < MEMORY_SIZE - sizeof(struct trap)) {
		const struct trap *trap = (void *)(machine->memory + run->regs.rsp);

		snprintf(text, size, "trap %lu, error code 0x%lx, at 0x%lx", trap->vector,
			 trap->error_code, trap->rip);
	} else {
		snprintf(text, size, "exit %s (0x%llx, 0x%llx, 0x%llx) at 0x%llx",
			 exit_name(run->exit_reason), run->hw.code, run->hw.info1, run->hw.info2,
			 run->regs.rip);
	}
}

void expect_exit(struct machine *machine, enum dune_exit reason)
{
	char text[128];

	machine_run(machine);
	describe(machine, text, sizeof(text));
	check(machine->run->exit_reason == reason && text[0] == 'e', "%s, not exit %s", text,
	      exit_name(reason));
}

struct trap *expect_trap(struct machine *machine, unsigned int vector, uint64_t error_code)
{
	struct trap *trap;
	char text[128];

	machine_run(machine);
	describe(machine, text, sizeof(text));
	check(text[0] == 't', "%s, not trap %u", text, vector);
	trap = (void *)(machine->memory + machine->run->regs.rsp);
	check(trap->vector == vector && trap->error_code == error_code,
	      "%s, not trap %u, error code 0x%lx", text, vector, error_code);
	return trap;
}

void expect_one_trap(const char *code, const char *end, const char *at, unsigned int vector,
		     uint64_t error_code)
{
	struct machine machine;
	struct trap *trap;
	uint64_t rip = GUEST_CODE + (at - code);

	machine_create(&machine);
	machine_load(&machine, code, end);
	trap = expect_trap(&machine, vector, error_code);
	check(trap->rip == rip, "trapped at 0x%lx, not 0x%lx", trap->rip, rip);
	check(trap->cs == SELECTOR_CODE && trap->ss == SELECTOR_DATA, "CS 0x%lx, SS 0x%lx",
	      trap->cs, trap->ss);
	/* The guest goes on behind it. */
	trap->rip = GUEST_CODE + (end - code) - 1;
	expect_exit(&machine, DUNE_EXIT_HLT);
}
