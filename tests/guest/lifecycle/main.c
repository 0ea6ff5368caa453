// SPDX-License-Identifier: BSD-2-Clause
/* lifecycle COMMAND [ARGUMENT...]: the last line is "COMMAND: ok" and what was counted. */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lifecycle.h"

#define PATIENCE_MS 60000ul	/* for a guest to run at all; the machine may be crowded */

static const struct command commands[] = {
	{ "cycles", "COUNT", 1, run_cycles },
	{ "crowd", "PROCESSES ROUNDS", 2, run_crowd },
	{ "race", "SEED SECONDS", 2, run_race },
	{ "close", "COUNT", 1, run_close },
	{ "kill", "SEED COUNT", 2, run_kill },
	{ "hold", "CPU", 1, run_hold },
};

__asm__(".globl guest_sum, guest_sum_end, guest_count, guest_count_end\n"
	".hidden guest_sum, guest_sum_end, guest_count, guest_count_end");
GUEST(guest_sum, "xor %eax, %eax; xor %edx, %edx\n"
		 "1: add %rax, %rdx; inc %rax; cmp %rcx, %rax; jne 1b; hlt");
GUEST(guest_count, "cli\n1: incq 0x9000; jmp 1b");

void expect_sum(struct machine *machine, uint64_t limit)
{
	load(machine, guest_sum);
	machine->run->regs.rcx = limit;
	expect_exit(machine, DUNE_EXIT_HLT);
	check(machine->run->regs.rdx == limit * (limit - 1) / 2, "the sum up to %lu is %llu",
	      limit, machine->run->regs.rdx);
}

void machine_destroy(struct machine *machine, bool vm_first)
{
	check(munmap(machine->run, GUEST_PAGE) == 0, "munmap: %s", strerror(errno));
	if (vm_first)
		close(machine->vm);
	close(machine->vcpu);
	if (!vm_first)
		close(machine->vm);
	check(munmap(machine->memory, MEMORY_SIZE) == 0, "munmap: %s", strerror(errno));
}

void expect_counting(const struct machine *machine)
{
	volatile uint64_t *counter = guest_u64(machine, GUEST_DATA);
	uint64_t before = *counter, end = now_ns() + PATIENCE_MS * MS;

	while (*counter == before) {
		check(now_ns() < end, "the guest does not run");
		sched_yield();
	}
}

void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(memory != MAP_FAILED, "mmap: %s", strerror(errno));
	return memory;
}

uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

int main(int argc, char **argv)
{
	const struct command *end = commands + sizeof(commands) / sizeof(commands[0]);

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct command *this = commands; this < end; this++) {
		if (argc < 2 || strcmp(argv[1], this->name) != 0)
			continue;
		check(argc == 2 + this->arguments, "usage: lifecycle %s %s", this->name,
		      this->usage);
		this->run(argv + 2);
		return 0;
	}
	for (const struct command *this = commands; this < end; this++)
		fprintf(stderr, "usage: lifecycle %s %s\n", this->name, this->usage);
	return 2;
}
