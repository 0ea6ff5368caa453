// SPDX-License-Identifier: BSD-2-Clause
/*
 * The doorbell between threads, wherever its target is: in guest mode, in the host, on the way from
 * one to the other, not yet entered. The guest's handlers count in GUEST_DATA without any exit, so
 * an interrupt that is lost or late shows as a count that does not come.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

#define VECTOR	   0x40u
#define SENDERS	   3
#define ROUNDS	   300
#define STOP	   (GUEST_DATA + 0x800)	/* the guest ends when this is not 0 */
#define BUSY	   (GUEST_DATA + 0x808)	/* the guest counts here */
#define HANDLERS   (GUEST_SPARE)

/* Four handlers of 16 bytes; each adds one to its own counter. */
GUEST(handlers, "incq 0x9000; iretq; .balign 16\n"
		"incq 0x9008; iretq; .balign 16\n"
		"incq 0x9010; iretq; .balign 16\n"
		"incq 0x9018; iretq; .balign 16");

GUEST(spin, "sti\n1: incq 0x9808; cmpq $0, 0x9800; je 1b; cli; hlt");
GUEST(spin_off, "1: incq 0x9808; cmpq $0, 0x9800; je 1b; sti; nop; cli; hlt");
GUEST(exit_all_the_time, "sti\n1: incq 0x9808; out %al, $0x80; cmpq $0, 0x9800; je 1b; cli; hlt");
GUEST(halt_all_the_time, "1: sti; hlt; incq 0x9808; cmpq $0, 0x9800; je 1b; cli; hlt");
GUEST(toggle_all_the_time,
      "1: cli; incq 0x9808; sti; nop; cmpq $0, 0x9800; je 1b; cli; hlt");

static uint64_t guest_read(const struct machine *machine, uint64_t address)
{
	return __atomic_load_n(guest_u64(machine, address), __ATOMIC_ACQUIRE);
}

static void prepare(struct machine *machine, const char *code, const char *end)
{
	machine_create(machine);
	machine_load(machine, code, end);
	memcpy(machine->memory + HANDLERS, handlers, handlers_end - handlers);
	for (unsigned int i = 0; i < 4; i++)
		machine_set_gate(machine, VECTOR + i, HANDLERS + 16 * i);
}

/* The vCPU's thread: until the guest halts with STOP set. */
static void *run_target(void *arg)
{
	struct machine *machine = arg;

	do {
		machine_run(machine);
		check(machine->run->exit_reason == DUNE_EXIT_IO ||
		      machine->run->exit_reason == DUNE_EXIT_HLT, "exit %s",
		      exit_name(machine->run->exit_reason));
	} while (machine->run->exit_reason != DUNE_EXIT_HLT || !guest_read(machine, STOP));
	return NULL;
}

static pthread_t start(void *(*function)(void *), void *arg)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, function, arg) == 0, "pthread_create failed");
	return thread;
}

static void wait_busy(const struct machine *machine)
{
	uint64_t before = guest_read(machine, BUSY);

	while (guest_read(machine, BUSY) == before)
		sched_yield();
}

static void stop(struct machine *machine, pthread_t target)
{
	__atomic_store_n(guest_u64(machine, STOP), 1, __ATOMIC_RELEASE);
	pthread_join(target, NULL);
}

struct sender {
	const struct machine *machine;
	unsigned int number;
};

/* Rings only when the one before has been taken: each must be. */
static void *ring(void *arg)
{
	const struct sender *sender = arg;
	uint64_t counter = GUEST_DATA + 8 * sender->number;

	for (uint64_t round = 1; round <= ROUNDS; round++) {
		machine_raise(sender->machine, VECTOR + sender->number);
		while (guest_read(sender->machine, counter) < round)
			sched_yield();
	}
	return NULL;
}

static void ring_all(const char *code, const char *end)
{
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS], target;
	struct machine machine;

	prepare(&machine, code, end);
	target = start(run_target, &machine);
	for (unsigned int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ &machine, i };
		threads[i] = start(ring, &senders[i]);
	}
	for (unsigned int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	stop(&machine, target);
	/*
	 * QEMU's TCG leaves exception_index set when VMRUN injects an interrupt (helper_vmrun). If
	 * the next thing that happens to the vCPU is a request to leave its loop, that finds it
	 * (cpu_handle_interrupt), and the guest gets the same interrupt once more, interrupts off
	 * or not. Seen in QEMU's log (-d int,in_asm): a delivery without a VMRUN before it. Its
	 * sender is then one ahead, and two of its doorbells can become one. None is lost, though:
	 * then we would still be waiting.
	 */
	for (unsigned int i = 0; i < SENDERS && !is_tcg(); i++)
		check(guest_read(&machine, GUEST_DATA + 8 * i) == ROUNDS, "%lu of vector %u",
		      guest_read(&machine, GUEST_DATA + 8 * i), i);
	check(machine.run->interrupts == SENDERS * ROUNDS || is_tcg(), "%llu interrupts",
	      machine.run->interrupts);
	fprintf(stderr, "%d interrupts, %llu kicks, %llu windows", SENDERS * ROUNDS,
		machine.run->kicks, machine.run->interrupt_windows);
}

CASE(doorbell_running)
{
	ring_all(spin, spin_end);
}

CASE(doorbell_exiting)
{
	ring_all(exit_all_the_time, exit_all_the_time_end);
}

CASE(doorbell_halting)
{
	ring_all(halt_all_the_time, halt_all_the_time_end);
}

CASE(doorbell_toggling)
{
	ring_all(toggle_all_the_time, toggle_all_the_time_end);
}

/* It comes before the host's next timer tick could have ended guest mode by chance. */
CASE(doorbell_kicks)
{
	struct machine machine;
	pthread_t target;
	uint64_t before;

	prepare(&machine, spin, spin_end);
	target = start(run_target, &machine);
	wait_busy(&machine);
	before = guest_read(&machine, GUEST_DATA);
	/* The target may be out for a tick of the host just now: not a hundred times in a row. */
	for (int i = 0; i < 100; i++) {
		machine_raise(&machine, VECTOR);
		while (guest_read(&machine, GUEST_DATA) == before)
			;
		before = guest_read(&machine, GUEST_DATA);
	}
	stop(&machine, target);
	check(machine.run->kicks > 0 && machine.run->kicks <= 100, "%llu kicks",
	      machine.run->kicks);
	fprintf(stderr, "%llu kicks for 100 interrupts", machine.run->kicks);
}

/* Interrupts off: one kick, no matter how long, and delivered when they are on. */
CASE(doorbell_interrupts_off)
{
	struct machine machine;
	pthread_t target;

	prepare(&machine, spin_off, spin_off_end);
	target = start(run_target, &machine);
	wait_busy(&machine);
	machine_raise(&machine, VECTOR);
	machine_raise(&machine, VECTOR);
	usleep(20000);
	check(guest_read(&machine, GUEST_DATA) == 0, "taken with interrupts off");
	wait_busy(&machine);
	stop(&machine, target);
	check(guest_read(&machine, GUEST_DATA) == 1 || is_tcg(), "taken %lu times",
	      guest_read(&machine, GUEST_DATA));
	check(machine.run->kicks <= 1 && machine.run->interrupt_windows == 1,
	      "%llu kicks, %llu windows", machine.run->kicks, machine.run->interrupt_windows);
}

/* Two vCPUs that do nothing but interrupt each other, through their own threads. */
struct player {
	struct machine machine;
	struct player *other;
};

GUEST(play, "sti\n1: hlt; jmp 1b");

static void *play_on(void *arg)
{
	struct player *player = arg;
	struct dune_run *run = player->machine.run;

	while (run->interrupts < ROUNDS) {
		uint64_t taken = run->interrupts;

		machine_run(&player->machine);
		check(run->exit_reason == DUNE_EXIT_HLT, "exit %s", exit_name(run->exit_reason));
		for (; taken < run->interrupts; taken++)
			machine_raise(&player->other->machine, VECTOR);
		sched_yield();
	}
	return NULL;
}

CASE(doorbell_between_vcpus)
{
	struct player players[2];
	pthread_t threads[2];

	prepare(&players[0].machine, play, play_end);
	machine_add_vcpu(&players[0].machine, &players[1].machine);
	players[1].machine.run->regs.rsp = GUEST_RSP0;
	for (int i = 0; i < 2; i++)
		players[i].other = &players[1 - i];
	machine_raise(&players[0].machine, VECTOR);
	for (int i = 0; i < 2; i++)
		threads[i] = start(play_on, &players[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* Only the process itself: a child that inherited the descriptor is refused. */
CASE(doorbell_of_another_process)
{
	struct machine machine;
	int status;
	pid_t pid;

	prepare(&machine, spin, spin_end);
	pid = fork();
	if (pid == 0)
		_exit(ioctl(machine.vcpu, DUNE_INTERRUPT, VECTOR) == -1 && errno == EIO ? 0 : 1);
	check(waitpid(pid, &status, 0) == pid && status == 0, "it is taken");
}
