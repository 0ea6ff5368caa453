// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests of every kind from many threads at once, on one VM and one vCPU, for so long and until
 * each has been served a few times. All answers are among those that the interface knows.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "lifecycle.h"

struct racer {
	const char *name;
	void (*once)(uint64_t random);
	atomic_ulong served, refused;
	pthread_t thread;
	uint64_t random;
};

static struct machine machine;
static atomic_bool stop;
static __thread struct racer *self;

/* Counts an answer; @errors are those it may be, at most two. */
static bool served(int returned, int error, int other)
{
	if (returned < 0) {
		check(errno == error || errno == other, "%s: %s", self->name, strerror(errno));
		self->refused++;
		return false;
	}
	self->served++;
	return true;
}

static void run(uint64_t random)
{
	(void)random;
	served(ioctl(machine.vcpu, DUNE_RUN, 0), EBUSY, EIO);
}

static void get_state(uint64_t random)
{
	struct dune_state state;

	(void)random;
	if (served(ioctl(machine.vcpu, DUNE_GET_STATE, &state), EBUSY, 0))
		check(state.cr3 == GUEST_PML4, "CR3 is 0x%llx", state.cr3);
}

static void set_state(uint64_t random)
{
	struct dune_state state;

	if (!served(ioctl(machine.vcpu, DUNE_GET_STATE, &state), EBUSY, 0))
		return;
	state.fs_base = random & 0x7fffffff;
	served(ioctl(machine.vcpu, DUNE_SET_STATE, &state), EBUSY, 0);
}

/* Not the one it stands on. */
static void set_slot(uint64_t random)
{
	struct dune_slot slot = {
		.slot = 1 + random % 31,
		.gpa = (1 + random / 31 % 40) * MEMORY_SIZE,
		.size = random & 1 ? MEMORY_SIZE : 0,
		.hva = (uint64_t)machine.memory,
	};

	served(ioctl(machine.vm, DUNE_SET_SLOT, &slot), EEXIST, 0);
}

static void interrupt(uint64_t random)
{
	served(ioctl(machine.vcpu, DUNE_INTERRUPT, 32 + random % 224), 0, 0);
}

static void create_vcpu(uint64_t random)
{
	int fd = ioctl(machine.vm, DUNE_CREATE_VCPU, 0);

	(void)random;
	if (!served(fd, EMFILE, ENOMEM))
		return;
	ioctl(fd, DUNE_INTERRUPT, 64);
	close(fd);
}

static void map_run_page(uint64_t random)
{
	void *page = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, machine.vcpu, 0);

	(void)random;
	if (served(page == MAP_FAILED ? -1 : 0, 0, 0))
		munmap(page, GUEST_PAGE);
}

static void close_copies(uint64_t random)
{
	int fd = dup(random & 1 ? machine.vm : machine.vcpu);

	served(fd, EMFILE, 0);
	close(fd);
}

static void forget(uint64_t random)
{
	(void)random;
	machine_forget(&machine);
	served(0, 0, 0);
}

static struct racer racers[] = {
	{ .name = "run", .once = run },			{ .name = "run-too", .once = run },
	{ .name = "get-state", .once = get_state },	{ .name = "set-state", .once = set_state },
	{ .name = "set-slot", .once = set_slot },	{ .name = "interrupt", .once = interrupt },
	{ .name = "create-vcpu", .once = create_vcpu },	{ .name = "map", .once = map_run_page },
	{ .name = "close", .once = close_copies },	{ .name = "forget", .once = forget },
};

#define RACERS (sizeof(racers) / sizeof(racers[0]))

static void *race(void *arg)
{
	self = arg;
	while (!stop)
		self->once(next_random(&self->random));
	return NULL;
}

/* Those that wait for other processors may have to wait long where these are emulated. */
static bool all_served(void)
{
	for (unsigned int i = 0; i < RACERS; i++) {
		if (racers[i].served < 3)
			return false;
	}
	return true;
}

static void on_alarm(int signo)
{
	(void)signo;
}

/* Counts, with interrupts on, and lets the process have a look each time. */
GUEST(busy, "sti\n1: incq 0x9000; out %al, $0x10; mov $300, %ecx\n2: loop 2b; jmp 1b");

void run_race(char **arguments)
{
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	uint64_t random = strtoull(arguments[0], NULL, 0) * 2 + 1;
	uint64_t end = now_ns() + strtoul(arguments[1], NULL, 0) * 1000 * MS;

	machine_create(&machine);
	load(&machine, busy);
	/* Interrupts return at once, wherever their frame leads. */
	for (unsigned int vector = 32; vector < 256; vector++)
		machine_set_gate(&machine, vector, GUEST_CODE + 64);
	memcpy(machine.memory + GUEST_CODE + 64, "\x48\xcf", 2);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned int i = 0; i < RACERS; i++) {
		racers[i].random = next_random(&random);
		check(pthread_create(&racers[i].thread, NULL, race, &racers[i]) == 0,
		      "pthread_create");
	}
	while (now_ns() < end || !all_served())
		usleep(10000);
	stop = true;
	for (unsigned int i = 0; i < RACERS; i++)
		pthread_join(racers[i].thread, NULL);
	expect_sum(&machine, 1000);
	for (unsigned int i = 0; i < RACERS; i++)
		printf("%s: %lu served, %lu refused\n", racers[i].name, racers[i].served,
		       racers[i].refused);
	printf("race: ok, %lu times round\n", *guest_u64(&machine, GUEST_DATA));
}
