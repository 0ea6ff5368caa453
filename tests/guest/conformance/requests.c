// SPDX-License-Identifier: BSD-2-Clause
/* The requests themselves: who may make them, what they refuse, and many of them at once. */
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

GUEST(sum_up, "cli; xor %eax, %eax; xor %edx, %edx\n"
		"1: add %rax, %rdx; inc %rax; mov %rax, 0x9000; cmp %rcx, %rax; jne 1b; hlt");

CASE(ioctl_of_another_process)
{
	struct machine machine;
	struct dune_state state;
	int status;
	pid_t pid;

	machine_create(&machine);
	pid = fork();
	if (pid == 0) {
		bool refused = ioctl(machine.vcpu, DUNE_RUN, 0) == -1 && errno == EIO;

		refused &= ioctl(machine.vcpu, DUNE_GET_STATE, &state) == -1 && errno == EIO;
		refused &= ioctl(machine.vm, DUNE_CREATE_VCPU, 0) == -1 && errno == EIO;
		_exit(refused ? 0 : 1);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "a child may use it");
}

CASE(ioctl_unknown)
{
	static const unsigned long wrong[] = {
		_IO(DUNE_IOCTL_TYPE, 0x7f), _IO('K', 0), 0, ~0ul,
	};
	struct machine machine;
	struct dune_slot slot = { .slot = 1, .flags = 1u << 31, .size = GUEST_PAGE };

	machine_create(&machine);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		check(ioctl(machine.vm, wrong[i], 0) == -1 && errno == ENOTTY, "VM, %zu", i);
		check(ioctl(machine.vcpu, wrong[i], 0) == -1 && errno == ENOTTY, "vCPU, %zu", i);
	}
	check(ioctl(machine.vm, DUNE_CREATE_VCPU, 1) == -1 && errno == EINVAL, "CREATE_VCPU 1");
	check(ioctl(machine.vcpu, DUNE_RUN, 1) == -1 && errno == EINVAL, "RUN 1");
	check(ioctl(machine.vm, DUNE_SET_SLOT, &slot) == -1 && errno == EINVAL, "a slot's flag");
	check(ioctl(machine.vm, DUNE_SET_SLOT, 8) == -1 && errno == EFAULT, "a wild pointer");
}

CASE(version)
{
	struct machine machine;
	struct dune_info info;

	machine_create(&machine);
	check(ioctl(machine.vm, DUNE_GET_VERSION, 0) == DUNE_API_VERSION, "GET_VERSION");
	check(ioctl(machine.vm, DUNE_GET_VERSION, 1) == -1 && errno == EINVAL, "GET_VERSION 1");
	check(ioctl(machine.vm, DUNE_GET_INFO, &info) == 0, "GET_INFO: %s", strerror(errno));
	check(info.version == DUNE_API_VERSION, "version %u", info.version);
	/* Every doorbell kicks: so says the module, and doorbell_kicks counts it. */
	check(info.fast_paths == 0, "fast paths 0x%llx", info.fast_paths);
}

#define RACERS 6
#define RACE_NS (300 * MS)

struct race {
	struct machine machine;
	uint64_t flags;		/* of RFLAGS, those that may be set at random */
	uint64_t end;
};

/* Everything at once on one vCPU; each call may be refused, none may do harm. */
static void *race(void *arg)
{
	struct race *race = arg;
	struct machine *machine = &race->machine;
	unsigned int random = (uint64_t)&random >> 12;
	struct dune_state state;

	while (now_ns() < race->end) {
		struct dune_slot slot = { .slot = 1 + random % 4, .gpa = 1ull << 30,
					  .hva = (uint64_t)machine->memory,
					  .size = random % 2 ? GUEST_PAGE : 0 };

		random = random * 1103515245 + 12345;
		switch (random >> 16 & 7) {
		case 0:
			machine_raise(machine, 32 + (random >> 8) % 224);
			break;
		case 1:
			if (ioctl(machine->vcpu, DUNE_GET_STATE, &state) == 0)
				ioctl(machine->vcpu, DUNE_SET_STATE, &state);
			break;
		case 2:
			ioctl(machine->vm, DUNE_SET_SLOT, &slot);
			break;
		case 3:
			close(ioctl(machine->vm, DUNE_CREATE_VCPU, 0));
			break;
		case 4:
			machine->run->regs.rflags = (random & race->flags) | RFLAGS_IF;
			machine->run->regs.rsp = GUEST_STACK;
			machine->run->regs.rip = GUEST_CODE;
			break;
		default:
			machine->run->immediate_exit = random >> 20 & 1;
			ioctl(machine->vcpu, DUNE_RUN, 0);
		}
	}
	return NULL;
}

static void race_with(uint64_t flags)
{
	pthread_t threads[RACERS];
	struct race racing = { .flags = flags };
	struct machine after;

	machine_create(&racing.machine);
	load(&racing.machine, sum_up);
	racing.machine.run->regs.rcx = 1000;
	racing.end = now_ns() + RACE_NS;
	for (int i = 0; i < RACERS; i++)
		check(pthread_create(&threads[i], NULL, race, &racing) == 0, "pthread_create");
	for (int i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	/* The processors are still good for another guest. */
	machine_create(&after);
	load(&after, sum_up);
	after.run->regs.rcx = 1000;
	expect_exit(&after, DUNE_EXIT_HLT);
	check(after.run->regs.rdx == 1000 * 999 / 2, "RDX %llu", after.run->regs.rdx);
}

CASE(ioctls_racing)
{
	race_with(~RFLAGS_TF);
}

/* A case of its own, for not every emulator survives single steps. */
CASE(ioctls_racing_in_steps)
{
	race_with(~0ul);
}
