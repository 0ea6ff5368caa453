// SPDX-License-Identifier: BSD-2-Clause
/*
 * Many processes at once, each with a VM and a pattern of its own that its guest writes and reads
 * again, as the process itself does. All VMs are there before the first guest runs, and until the
 * last has ended.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lifecycle.h"

#define WORDS (6 * GUEST_PAGE / 8)

/* Writes RBX plus its number to each of RCX words from RDI on; counts in RAX those that differ. */
GUEST(pattern, "mov %rdi, %rsi; mov %rbx, %rdx; mov %rcx, %r8\n"
	       "1: mov %rdx, (%rsi); add $8, %rsi; inc %rdx; dec %r8; jnz 1b\n"
	       "xor %eax, %eax; mov %rdi, %rsi; mov %rbx, %rdx\n"
	       "2: cmp %rdx, (%rsi); je 3f; inc %rax\n"
	       "3: add $8, %rsi; inc %rdx; dec %rcx; jnz 2b; hlt");

struct crowd {
	atomic_ulong ready, done;
};

static void meet(atomic_ulong *counter, unsigned long count)
{
	atomic_fetch_add(counter, 1);
	while (*counter < count)
		usleep(1000);
}

static void one_round(struct machine *machine, uint64_t mine)
{
	const uint64_t *words = guest_u64(machine, GUEST_DATA);

	load(machine, pattern);
	machine->run->regs.rbx = mine;
	machine->run->regs.rcx = WORDS;
	machine->run->regs.rdi = GUEST_DATA;
	expect_exit(machine, DUNE_EXIT_HLT);
	check(machine->run->regs.rax == 0, "the guest of 0x%lx found %llu words of others", mine,
	      machine->run->regs.rax);
	for (unsigned long i = 0; i < WORDS; i++)
		check(words[i] == mine + i, "word %lu of 0x%lx is 0x%lx", i, mine, words[i]);
}

static void one_of_many(struct crowd *crowd, unsigned long number, unsigned long processes,
			unsigned long rounds)
{
	struct machine machine;

	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* one that fails leaves the others waiting */
	machine_create(&machine);
	meet(&crowd->ready, processes);
	for (unsigned long round = 0; round < rounds; round++) {
		one_round(&machine, (number + 1) << 32 | round << 16);
		if (round % 8 == 7)	/* the pages stay, their second-level entries go */
			machine_forget(&machine);
	}
	meet(&crowd->done, processes);
	exit(0);
}

void run_crowd(char **arguments)
{
	unsigned long processes = strtoul(arguments[0], NULL, 0);
	unsigned long rounds = strtoul(arguments[1], NULL, 0);
	struct crowd *crowd = share(sizeof(*crowd));
	int status;

	for (unsigned long i = 0; i < processes; i++) {
		pid_t pid = fork();

		check(pid >= 0, "fork: %s", strerror(errno));
		if (pid == 0)
			one_of_many(crowd, i, processes, rounds);
	}
	for (unsigned long i = 0; i < processes; i++)
		check(wait(&status) > 0 && status == 0, "a process ended with 0x%x", status);
	check(crowd->done == processes, "only %lu have ended well", crowd->done);
	printf("crowd: ok, %lu at once, %lu rounds each\n", processes, rounds);
}
