// SPDX-License-Identifier: BSD-2-Clause
/*
 * One program. Its thread starts chunk after chunk of guest code, each with other registers and
 * perhaps an exception or an interrupt to take, and makes requests in between. In a third of the
 * programs more threads make requests meanwhile, run the same vCPU, or have one of their own.
 *
 * A timer signal ends chunks that go on for ever. A vCPU that is dead is replaced.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define TICK_NS	     3000000l
#define CHUNK_TICKS  2
#define CHUNK_EXITS  24		/* and then it is the next one's turn */
#define MAX_HELPERS  3
#define TABLES_START GUEST_PML4
#define TABLES_END   GUEST_DATA

struct helper {
	pthread_t thread;
	struct target target;
	bool has_vcpu;		/* its own */
};

static atomic_bool stop;
static unsigned char tables[TABLES_END - TABLES_START];	/* as they were at first */

/* The handler's: the vCPU that this thread runs, and for how long. */
static __thread struct dune_run *volatile running;
static __thread volatile sig_atomic_t ticks;

static void on_tick(int signo)
{
	(void)signo;
	if (running && ++ticks >= CHUNK_TICKS)
		running->immediate_exit = 1;
}

static void start_ticks(void)
{
	struct itimerspec often = { { 0, TICK_NS }, { 0, TICK_NS } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	timer_t timer;

	event._sigev_un._tid = syscall(SYS_gettid);
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create: %s",
	      strerror(errno));
	check(timer_settime(timer, 0, &often, NULL) == 0, "timer_settime: %s", strerror(errno));
}

static uint64_t draw_flags(struct draw *draw)
{
	uint64_t flags = RFLAGS_FIXED;

	if (one_in(draw, 2))
		flags |= RFLAGS_IF;
	if (one_in(draw, 10))
		flags |= RFLAGS_TF;
	if (one_in(draw, 10))
		flags = draw_edge(draw);
	return flags;
}

static void draw_registers(struct target *target, unsigned int chunk)
{
	struct draw *draw = &target->draw;
	struct dune_regs *regs = &target->machine.run->regs;
	__u64 *reg = &regs->rax;

	for (unsigned int i = 0; i < 16; i++)
		reg[i] = one_in(draw, 2) ? draw_guest_address(draw) : draw_edge(draw);
	regs->rcx = one_in(draw, 2) ? below(draw, 64) : regs->rcx;	/* REP, briefly */
	regs->rsp = one_in(draw, 12) ? draw_edge(draw) : GUEST_STACK;
	regs->rip = one_in(draw, 32) ? draw_edge(draw) : GUEST_CODE + chunk * CHUNK_SIZE;
	regs->rflags = draw_flags(draw);
}

static void raise_some(struct target *target)
{
	do {
		unsigned long vector = 32 + below(&target->draw, 224);

		check(ioctl(target->machine.vcpu, DUNE_INTERRUPT, vector) == 0,
		      "INTERRUPT %lu: %s", vector, strerror(errno));
	} while (one_in(&target->draw, 2));
}

/*
 * Another vCPU in place of the one that is dead, under the same number and with the same run page,
 * so that other threads need not know. None of them can run it before its CR4 is tame.
 */
static void replace_vcpu(struct target *target)
{
	struct machine *machine = &target->machine, fresh;

	if (!one_in(&target->draw, 4))
		memcpy(machine->memory + TABLES_START, tables, sizeof(tables));
	machine_add_vcpu(machine, &fresh);
	request_tame_cr4(&fresh);
	check(dup2(fresh.vcpu, machine->vcpu) == machine->vcpu, "dup2: %s", strerror(errno));
	check(mmap(machine->run, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   machine->vcpu, 0) == (void *)machine->run, "mmap: %s", strerror(errno));
	munmap(fresh.run, GUEST_PAGE);
	close(fresh.vcpu);
	atomic_fetch_add(&tally->replaced, 1);
}

/* Counts a trap and says whether the chunk goes on, perhaps somewhere else. */
static bool take_trap(struct target *target, unsigned int chunk)
{
	uint64_t rsp = target->machine.run->regs.rsp;
	struct trap *trap = (void *)(target->machine.memory + rsp);

	/* The upper half of the memory may be taken away at any moment. */
	if (rsp > GUEST_SPARE - sizeof(*trap))
		return false;
	if (trap->vector >= 32) {
		atomic_fetch_add(&tally->interrupts, 1);
		return true;
	}
	atomic_fetch_add(&tally->vectors[trap->vector], 1);
	if (!one_in(&target->draw, 4))
		trap->rip = GUEST_CODE + chunk * CHUNK_SIZE + below(&target->draw, CHUNK_SIZE);
	return !one_in(&target->draw, 8);
}

static bool take_io(struct target *target, unsigned int chunk)
{
	struct dune_run *run = target->machine.run;

	if (run->io.is_write && run->io.port == PORT_TRAP)
		return take_trap(target, chunk);
	check(!target->alone || run->io.size == 1 || run->io.size == 2 || run->io.size == 4,
	      "an access of %u bytes to a port", run->io.size);
	if (!run->io.is_write)
		run->regs.rax = draw64(&target->draw);
	return true;
}

/* Deals with an exit; false if that was it for this chunk. */
static bool go_on(struct target *target, unsigned int chunk)
{
	struct dune_run *run = target->machine.run;
	uint32_t reason = run->exit_reason;

	if (reason > DUNE_EXIT_UNKNOWN) {
		check(!target->alone, "exit reason %u", reason);
		return false;
	}
	atomic_fetch_add(&tally->exits[reason], 1);
	switch (reason) {
	case DUNE_EXIT_INTERRUPTED:
		atomic_fetch_add(&tally->endless, run->immediate_exit != 0);
		return run->immediate_exit == 0;
	case DUNE_EXIT_IO:
		return take_io(target, chunk);
	case DUNE_EXIT_HLT:
		if (one_in(&target->draw, 2))
			raise_some(target);
		return true;
	case DUNE_EXIT_MEMORY_FAULT:
		if (run->fault.gpa < GUEST_SPARE)
			ground_show_memory(target->ground, &target->machine);
		return one_in(&target->draw, 4);
	case DUNE_EXIT_SHUTDOWN:
		check(!target->alone || (ioctl(target->machine.vcpu, DUNE_RUN, 0) == -1 &&
					 errno == EIO), "a dead vCPU runs");
		replace_vcpu(target);
		return false;
	default:
		return false;
	}
}

/* What other threads may have done to the vCPU meanwhile is no failure. */
static void refuse_run(struct target *target, int error)
{
	check(!target->alone && (error == EBUSY || error == EINVAL || error == EIO), "RUN: %s",
	      strerror(error));
	if (error == EIO)
		replace_vcpu(target);
}

static void run_chunk(struct target *target, unsigned int chunk)
{
	struct dune_run *run = target->machine.run;
	unsigned int exits = 0;

	draw_registers(target, chunk);
	if (one_in(&target->draw, 3))
		request_injection(target);
	if (one_in(&target->draw, 3))
		raise_some(target);
	ticks = 0;
	run->immediate_exit = 0;
	running = run;
	do {
		int ret = ioctl(target->machine.vcpu, DUNE_RUN, 0);

		atomic_fetch_add(&tally->runs, 1);
		if (ret < 0) {
			refuse_run(target, errno);
			break;
		}
		exits += run->exit_reason != DUNE_EXIT_INTERRUPTED;
	} while (go_on(target, chunk) && exits < CHUNK_EXITS);
	running = NULL;
	run->inject.valid = 0;
	atomic_fetch_add(&tally->chunks, 1);
}

static void scribble(struct target *target)
{
	unsigned char *page = (unsigned char *)target->machine.run;

	for (uint64_t times = below(&target->draw, 16); times; times--)
		page[below(&target->draw, sizeof(struct dune_run))] = draw64(&target->draw);
}

static void *help(void *arg)
{
	struct helper *helper = arg;
	struct target *target = &helper->target;

	start_ticks();
	while (!stop) {
		switch (below(&target->draw, 8)) {
		case 0:
			scribble(target);
			break;
		case 1:
			ground_disturb(target->ground, &target->draw);
			break;
		case 2:
			if (helper->has_vcpu)
				run_chunk(target, below(&target->draw, CHUNKS));
			else
				ioctl(target->machine.vcpu, DUNE_RUN, 0);
			break;
		default:
			request_any(target);
		}
	}
	return NULL;
}

static void start_helper(struct helper *helper, const struct target *target)
{
	helper->target = *target;
	helper->target.draw = (struct draw){ draw64(&helper->target.draw) };
	helper->has_vcpu = one_in(&helper->target.draw, 2);
	if (helper->has_vcpu) {
		machine_add_vcpu(&target->machine, &helper->target.machine);
		request_tame_cr4(&helper->target.machine);
	}
	check(pthread_create(&helper->thread, NULL, help, helper) == 0, "pthread_create");
}

/* Adds what the module has counted for this VM, which is the only one of this process. */
static void count_hardware_exits(void)
{
	char path[128], line[128], name[24], mine[16];
	unsigned int code;
	unsigned long count;
	struct dirent *entry;
	DIR *directory = opendir("/sys/kernel/debug/dune");
	FILE *file = NULL;

	if (!directory)
		return;
	snprintf(mine, sizeof(mine), "%d-", getpid());
	while (!file && (entry = readdir(directory))) {
		if (strncmp(entry->d_name, mine, strlen(mine)) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/debug/dune/%.32s/statistics",
			 entry->d_name);
		file = fopen(path, "re");
	}
	closedir(directory);
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "exit %x %lu %23[^\n]", &code, &count, name) != 3 ||
		    code >= HARDWARE_EXITS)
			continue;
		atomic_fetch_add(&tally->hardware[code], count);
		memcpy(tally->names[code], name, sizeof(name));
	}
	if (file)
		fclose(file);
}

void program_run(uint64_t seed, uint64_t index)
{
	struct sigaction action = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	struct helper helpers[MAX_HELPERS];
	struct ground ground;
	struct target target = { .ground = &ground, .draw = draw_from(seed, index, 0) };
	unsigned int helper_count = 0;

	if (one_in(&target.draw, 3))
		helper_count = 1 + below(&target.draw, MAX_HELPERS);
	target.alone = helper_count == 0;
	machine_create(&target.machine);
	ground_create(&ground, &target.machine, draw64(&target.draw));
	request_tame_cr4(&target.machine);
	memcpy(tables, target.machine.memory + TABLES_START, sizeof(tables));
	code_generate(&target.machine, &target.draw);
	sigaction(SIGALRM, &action, NULL);
	for (unsigned int i = 0; i < helper_count; i++)
		start_helper(&helpers[i], &target);
	start_ticks();
	for (unsigned int chunk = 0; chunk < CHUNKS; chunk++) {
		for (uint64_t requests = below(&target.draw, 4); requests; requests--)
			request_any(&target);
		run_chunk(&target, chunk);
	}
	stop = true;
	for (unsigned int i = 0; i < helper_count; i++)
		pthread_join(helpers[i].thread, NULL);
	ground_check(&ground);
	count_hardware_exits();
	atomic_fetch_add(&tally->programs, 1);
}
