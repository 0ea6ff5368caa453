// SPDX-License-Identifier: BSD-2-Clause
/*
 * A thread in guest mode is a thread like any other: signals, ptrace, SIGSTOP, exec, exit, SIGKILL,
 * a timer's preemption, and its own process pulling the ground from under it. The guest mostly
 * counts in GUEST_DATA with interrupts off, so that only the host can make it leave.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

GUEST(count, "cli\n1: incq 0x9000; jmp 1b");
GUEST(count_up, "cli; xor %eax, %eax; xor %edx, %edx\n"
		"1: add %rax, %rdx; inc %rax; mov %rax, 0x9000; cmp %rcx, %rax; jne 1b; hlt");

static uint64_t counted(const struct machine *machine)
{
	return __atomic_load_n(guest_u64(machine, GUEST_DATA), __ATOMIC_ACQUIRE);
}

static bool counts_within(const struct machine *machine, uint64_t ns)
{
	uint64_t before = counted(machine), end = now_ns() + ns;

	while (counted(machine) == before) {
		if (now_ns() > end)
			return false;
		sched_yield();
	}
	return true;
}

static void *run_for_ever(void *arg)
{
	machine_run(arg);
	check(false, "the guest has left: exit %s",
	      exit_name(((struct machine *)arg)->run->exit_reason));
	return NULL;
}

/* A child in guest mode; its memory is shared with the parent, so the parent sees it count. */
static pid_t fork_counting(struct machine *machine)
{
	int ready[2];
	pid_t pid;

	/* The parent's view of memory the child will run on. */
	unsigned char *memory = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(memory != MAP_FAILED && pipe(ready) == 0, "no memory");
	pid = fork();
	if (pid == 0) {
		machine_create(machine);
		check(mremap(memory, GUEST_PAGE, GUEST_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			     machine->memory + GUEST_DATA) != MAP_FAILED, "mremap");
		load(machine, count);
		machine_run(machine);
		_exit(1);
	}
	machine->memory = memory - GUEST_DATA;
	check(counts_within(machine, 10000 * MS), "the child's guest does not run");
	return pid;
}

/*
 * What the guest counts in 10 ms if nothing keeps it from running: the most that was seen. Under
 * TCG returns when it has just counted three quarters of that, or after a second: the clock goes
 * on there while a busy host runs something else, and a kill is to begin when it does not.
 */
static uint64_t count_undisturbed(const struct machine *machine)
{
	static uint64_t most;
	uint64_t now;

	for (int i = 0; i < 100; i++) {
		uint64_t before = counted(machine);

		usleep(10000);
		now = counted(machine) - before;
		if (now > most)
			most = now;
		if (!is_tcg() || (i > 0 && now >= most / 4 * 3))
			break;
	}
	return most;
}

/* Always, and the guest does not run on meanwhile, whatever the clock says. */
CASE(kill_within_100_ms)
{
	uint64_t slowest = 0;
	int late = 0;

	for (int i = 0; i < 10; i++) {
		struct machine machine;
		pid_t pid = fork_counting(&machine);
		uint64_t most = count_undisturbed(&machine) * (limit(100) / (10 * MS));
		uint64_t before = counted(&machine), begun = now_ns(), took;
		int status;

		kill(pid, SIGKILL);
		check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "status 0x%x",
		      status);
		took = now_ns() - begun;
		check(counted(&machine) - before <= most, "the guest ran on: %lu ms, counted %lu",
		      took / MS, counted(&machine) - before);
		slowest = took > slowest ? took : slowest;
		late += took > limit(100);
		munmap(machine.memory + GUEST_DATA, GUEST_PAGE);
	}
	check(late == 0, "%d of 10 were late, by up to %lu ms", late, slowest / MS);
	fprintf(stderr, "at most %lu us", slowest / 1000);
}

CASE(stop_and_continue)
{
	struct machine machine;
	pid_t pid = fork_counting(&machine);
	uint64_t before;
	int status;

	kill(pid, SIGSTOP);
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "status 0x%x", status);
	before = counted(&machine);
	usleep(20000);
	check(counted(&machine) == before, "it runs on while stopped");
	kill(pid, SIGCONT);
	check(counts_within(&machine, 5000 * MS), "it does not go on");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

CASE(ptrace_stops_and_reads)
{
	struct user_regs_struct regs;
	struct machine machine;
	pid_t pid = fork_counting(&machine);
	uint64_t before;
	int status;

	check(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0, "SEIZE: %s", strerror(errno));
	for (int i = 0; i < 5; i++) {
		check(ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0, "INTERRUPT: %s", strerror(errno));
		check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "status 0x%x", status);
		before = counted(&machine);
		check(ptrace(PTRACE_GETREGS, pid, 0, &regs) == 0, "GETREGS: %s", strerror(errno));
		usleep(2000);
		check(counted(&machine) == before, "it runs on while traced");
		check(ptrace(PTRACE_CONT, pid, 0, 0) == 0, "CONT: %s", strerror(errno));
		check(counts_within(&machine, 5000 * MS), "it does not go on");
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static volatile sig_atomic_t alarms, nested;

static void on_alarm(int signo)
{
	(void)signo;
	alarms++;
	raise(SIGUSR1);
}

static void on_user(int signo)
{
	(void)signo;
	nested++;
}

/* Signals with a signal inside, a thousand a second, and the guest's sum comes out right. */
CASE(signals_nested)
{
	static const uint64_t limit = 3000000;
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };
	struct sigaction action = { .sa_handler = on_alarm };
	struct machine machine;

	machine_create(&machine);
	sigaction(SIGALRM, &action, NULL);
	action.sa_handler = on_user;
	sigaction(SIGUSR1, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	do {
		load(&machine, count_up);
		machine.run->regs.rcx = limit;
		expect_exit(&machine, DUNE_EXIT_HLT);
		check(machine.run->regs.rax == limit &&
		      machine.run->regs.rdx == limit * (limit - 1) / 2, "RAX %llu, RDX %llu",
		      machine.run->regs.rax, machine.run->regs.rdx);
	} while (alarms < 5);
	setitimer(ITIMER_REAL, &never, NULL);
	check(nested == alarms, "%d signals, %d in them", (int)alarms, (int)nested);
	fprintf(stderr, "%d signals", (int)alarms);
}

/* The handler runs while the guest is stopped, and may use the vCPU's page, not the vCPU. */
static struct machine *interrupted;

static void on_signal_in_guest(int signo)
{
	(void)signo;
	interrupted->run->immediate_exit = counted(interrupted) > 0;
}

CASE(signal_ends_run)
{
	struct itimerval soon = { .it_value.tv_usec = 20000, .it_interval.tv_usec = 20000 };
	struct sigaction action = { .sa_handler = on_signal_in_guest };
	struct machine machine;

	machine_create(&machine);
	load(&machine, count);
	interrupted = &machine;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (!machine.run->immediate_exit) {
		check(ioctl(machine.vcpu, DUNE_RUN, 0) == 0, "RUN: %s", strerror(errno));
		check(machine.run->exit_reason == DUNE_EXIT_INTERRUPTED, "exit %s",
		      exit_name(machine.run->exit_reason));
	}
}

/* To the CPU that is @which among those we have. */
static void bind_to(pthread_t thread, const cpu_set_t *all, int which)
{
	cpu_set_t one;
	int cpu = 0;

	while (!CPU_ISSET(cpu, all) || which-- > 0)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	check(pthread_setaffinity_np(thread, sizeof(one), &one) == 0, "no CPU %d", cpu);
}

/* One CPU for a guest with interrupts off and a thread of the host: both get on. */
CASE(timer_preempts_guest)
{
	static struct machine machine;
	cpu_set_t all;
	pthread_t thread;

	check(sched_getaffinity(0, sizeof(all), &all) == 0, "sched_getaffinity");
	bind_to(pthread_self(), &all, 0);
	machine_create(&machine);
	load(&machine, count);
	check(pthread_create(&thread, NULL, run_for_ever, &machine) == 0, "pthread_create");
	for (int i = 0; i < 5; i++) {
		uint64_t before = counted(&machine);

		/* We run, so the guest does not: it must lose the CPU again for us to go on. */
		while (counted(&machine) == before)
			sched_yield();
	}
}

static void start_guest(struct machine *machine, pthread_t *thread)
{
	machine_create(machine);
	load(machine, count);
	check(pthread_create(thread, NULL, run_for_ever, machine) == 0, "pthread_create");
	check(counts_within(machine, 10000 * MS), "the guest does not run");
}

/*
 * One that stays in a single RUN: no other thread takes the CPU from this one, so it need not leave
 * to let one. Whoever may look at it must not have to wait until the kernel stops it all the same.
 * Its machine outlives the case, which ends before the thread does.
 */
static void start_undisturbed_guest(struct machine *machine, pthread_t *thread)
{
	const struct sched_param priority = { .sched_priority = 1 };
	cpu_set_t all;
	int error;

	check(sched_getaffinity(0, sizeof(all), &all) == 0, "sched_getaffinity");
	if (CPU_COUNT(&all) < 2)
		skip("it takes two CPUs");
	start_guest(machine, thread);
	bind_to(pthread_self(), &all, 0);
	bind_to(*thread, &all, 1);
	error = pthread_setschedparam(*thread, SCHED_FIFO, &priority);
	check(error == 0, "pthread_setschedparam: %s", strerror(error));
	check(counts_within(machine, 10000 * MS), "the guest does not run on");
}

static int wait_status(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
	return status;
}

CASE(exit_group_by_another_thread)
{
	struct machine machine;
	pthread_t thread;
	uint64_t begun;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		start_guest(&machine, &thread);
		_exit(42);
	}
	begun = now_ns();
	status = wait_status(pid);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 42, "status 0x%x", status);
	check(now_ns() - begun < 5000 * MS, "it took %lu ms", (now_ns() - begun) / MS);
}

CASE(exec_by_another_thread)
{
	struct machine machine;
	pthread_t thread;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		start_guest(&machine, &thread);
		execl("/bin/sh", "sh", "-c", "exit 43", NULL);
		_exit(1);
	}
	status = wait_status(pid);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 43, "status 0x%x", status);
}

/* The descriptor goes, the guest runs on: whoever is in an ioctl holds the file. */
CASE(close_while_running)
{
	static struct machine machine;
	pthread_t thread;

	start_undisturbed_guest(&machine, &thread);
	close(machine.vcpu);
	close(machine.vm);
	check(counts_within(&machine, 5000 * MS), "it does not go on");
}

GUEST(read_for_ever, "cli\n1: incq 0x9000; mov 0x100000, %rax; jmp 1b");

static void *run_to_fault(void *arg)
{
	struct machine *machine = arg;

	expect_exit(machine, DUNE_EXIT_MEMORY_FAULT);
	check((machine->run->fault.gpa & ~(GUEST_PAGE - 1)) == GUEST_SPARE, "at 0x%llx",
	      machine->run->fault.gpa);
	return NULL;
}

CASE(unmap_while_running)
{
	struct machine machine;
	pthread_t thread;

	machine_create(&machine);
	load(&machine, read_for_ever);
	check(pthread_create(&thread, NULL, run_to_fault, &machine) == 0, "pthread_create");
	check(counts_within(&machine, 10000 * MS), "the guest does not run");
	check(munmap(machine.memory + GUEST_SPARE, GUEST_PAGE) == 0, "munmap");
	pthread_join(thread, NULL);
}

CASE(ioctl_while_running)
{
	static struct machine machine;
	struct dune_state state;
	pthread_t thread;

	start_undisturbed_guest(&machine, &thread);
	check(ioctl(machine.vcpu, DUNE_RUN, 0) == -1 && errno == EBUSY, "a second RUN");
	check(ioctl(machine.vcpu, DUNE_GET_STATE, &state) == -1 && errno == EBUSY, "GET_STATE");
	check(ioctl(machine.vcpu, DUNE_SET_STATE, &state) == -1 && errno == EBUSY, "SET_STATE");
	check(ioctl(machine.vcpu, DUNE_INTERRUPT, 0x40) == 0, "INTERRUPT: %s", strerror(errno));
}
