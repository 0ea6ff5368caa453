// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests to the module: mostly right in all but one thing, sometimes wholly wrong. Where the
 * interface says what the answer must be (rules.c), that is what must come.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What an ioctl returned, and that this may be. @must: the one error it has to be, or 0. */
static int answer(struct target *target, const char *name, int returned, int must)
{
	int error = returned < 0 ? errno : 0;

	atomic_fetch_add(&tally->requests, 1);
	atomic_fetch_add(&tally->refused, error != 0);
	check(rules_know(error), "%s: the answer is %s (%d)", name, strerror(error), error);
	/* Another thread may be in the vCPU, and then nothing is looked at. */
	if (must && !(error == EBUSY && !target->alone))
		check(error == must, "%s: %s, but it must be %s", name, strerror(error),
		      strerror(must));
	return error;
}

/*
 * Where to have a structure read from or written to: mostly itself, else memory that is not there,
 * the kernel's, or memory that ends in the midst of it.
 */
static void *draw_pointer(struct target *target, void *structure, size_t size, bool *good)
{
	unsigned char *private = target->ground->private, *hole = target->ground->hole;

	*good = !one_in(&target->draw, 8);
	if (*good)
		return structure;
	switch (below(&target->draw, 4)) {
	case 0:
		return NULL;
	case 1:
		return private + GUEST_PAGE - 1 - below(&target->draw, size - 1);
	case 2:
		return (void *)(0xffff800000000000 + (draw64(&target->draw) >> 20));
	default:
		return hole + below(&target->draw, GUEST_PAGE);
	}
}

static void spoil(struct draw *draw, void *structure, size_t size)
{
	uint64_t *words = structure;
	uint64_t value = one_in(draw, 2) ? draw_edge(draw) : 1ull << below(draw, 64);

	if (one_in(draw, 2))
		words[below(draw, size / 8)] = value;
	else
		words[below(draw, size / 8)] ^= value;
}

/*
 * A slot may let guests write to the guest's own memory and to the hole. All else that this process
 * has, and most of that is not in the test's hands, is shown read-only.
 */
static bool slot_is_tame(const struct target *target, const struct dune_slot *slot)
{
	uint64_t memory = slot->hva - (uint64_t)target->ground->memory;
	uint64_t hole = slot->hva - (uint64_t)target->ground->hole;

	return (memory <= MEMORY_SIZE && slot->size <= MEMORY_SIZE - memory) ||
	       (hole <= GROUND_HOLE_SIZE && slot->size <= GROUND_HOLE_SIZE - hole);
}

static void draw_slot(struct target *target, struct dune_slot *slot)
{
	struct draw *draw = &target->draw;
	bool memory = one_in(draw, 2);
	uint64_t room = memory ? MEMORY_SIZE : GROUND_HOLE_SIZE, first = below(draw, room);

	*slot = (struct dune_slot){
		.slot = 4 + below(draw, RULES_MAX_SLOTS - 4),
		.flags = below(draw, 2),
		.gpa = draw_edge(draw) & ~(GUEST_PAGE - 1),
		.hva = (uint64_t)(memory ? target->ground->memory : target->ground->hole),
	};
	slot->size = below(draw, room - first) & ~(GUEST_PAGE - 1);
	slot->hva += first & ~(GUEST_PAGE - 1);
	if (one_in(draw, 8))	/* what the guest stands on */
		slot->slot = 0;
	if (one_in(draw, 4))	/* beside, or over, the others */
		slot->gpa = GROUND_EXTRA - below(draw, 8) * GUEST_PAGE;
	if (one_in(draw, 3))
		spoil(draw, slot, sizeof(*slot));
}

static void set_slot(struct target *target)
{
	struct dune_info info = { 0 };
	struct dune_slot slot;
	bool good, wrong;
	void *pointer;

	check(ioctl(target->machine.vm, DUNE_GET_INFO, &info) == 0, "GET_INFO: %s",
	      strerror(errno));
	draw_slot(target, &slot);
	wrong = rules_refuse_slot(&slot, 1ull << info.gpa_bits);
	if (!wrong && !slot_is_tame(target, &slot))
		slot.flags |= DUNE_SLOT_READONLY;
	pointer = draw_pointer(target, &slot, sizeof(slot), &good);
	answer(target, "SET_SLOT", ioctl(target->machine.vm, DUNE_SET_SLOT, pointer),
	       !good ? EFAULT : wrong ? EINVAL : 0);
}

static void draw_state(struct draw *draw, struct dune_state *state)
{
	static const uint16_t selectors[] = {
		0, SELECTOR_CODE, SELECTOR_DATA, SELECTOR_TSS, SELECTOR_ABSENT, 0xfff8,
	};

	switch (below(draw, 4)) {
	case 0:
		spoil(draw, state, sizeof(*state));
		break;
	case 1:
		state->cs = selectors[below(draw, ARRAY_SIZE(selectors))];
		state->ss = selectors[below(draw, ARRAY_SIZE(selectors))];
		break;
	case 2:
		state->star = draw64(draw);
		state->lstar = draw_guest_address(draw);
		state->sfmask = draw_edge(draw);
		state->fs_base = draw_guest_address(draw);
		break;
	default:
		state->idt_limit = below(draw, 0x10000);
		state->tss_limit = below(draw, 0x10000);
		state->tss_base = draw_guest_address(draw);
	}
}

/* Without it XSETBV is #UD. TCG does not intercept that, and XCR0 would be the host's. */
void request_tame_cr4(const struct machine *machine)
{
	struct dune_state state;

	if (!is_tcg())
		return;
	machine_get_state(machine, &state);
	state.cr4 &= ~CR4_OSXSAVE;
	machine_set_state(machine, &state);
}

static void set_state(struct target *target)
{
	struct dune_state state = { 0 };
	bool good, wrong;
	void *pointer;

	if (ioctl(target->machine.vcpu, DUNE_GET_STATE, &state) < 0)
		return;
	draw_state(&target->draw, &state);
	if (is_tcg())
		state.cr4 &= ~CR4_OSXSAVE;
	wrong = rules_refuse_state(&state);
	pointer = draw_pointer(target, &state, sizeof(state), &good);
	answer(target, "SET_STATE", ioctl(target->machine.vcpu, DUNE_SET_STATE, pointer),
	       !good ? EFAULT : wrong ? EINVAL : 0);
}

static void get_something(struct target *target)
{
	static const struct {
		const char *name;
		unsigned long number;
		bool of_vcpu;
	} gets[] = {
		{ "GET_INFO", DUNE_GET_INFO, false }, { "GET_STATS", DUNE_GET_STATS, false },
		{ "GET_STATE", DUNE_GET_STATE, true },
	};
	unsigned int i = below(&target->draw, ARRAY_SIZE(gets));
	union {
		struct dune_info info;
		struct dune_stats stats;
		struct dune_state state;
	} out;
	void *pointer;
	bool good;

	pointer = draw_pointer(target, &out, sizeof(struct dune_info), &good);
	if (!good && one_in(&target->draw, 2))
		pointer = target->ground->read_only;
	answer(target, gets[i].name,
	       ioctl(gets[i].of_vcpu ? target->machine.vcpu : target->machine.vm, gets[i].number,
		     pointer), good ? 0 : EFAULT);
}

static void set_argument(struct target *target)
{
	unsigned long argument = draw_edge(&target->draw);
	struct machine *machine = &target->machine;

	switch (below(&target->draw, 4)) {
	case 0:
		answer(target, "GET_VERSION", ioctl(machine->vm, DUNE_GET_VERSION, argument),
		       argument ? EINVAL : 0);
		break;
	case 1:
		argument = one_in(&target->draw, 2) ? argument : below(&target->draw, 300);
		answer(target, "INTERRUPT", ioctl(machine->vcpu, DUNE_INTERRUPT, argument),
		       argument < 32 || argument > 255 ? EINVAL : 0);
		break;
	case 2:
		argument |= 1;	/* 0 is for program.c, with a limit of time */
		answer(target, "RUN", ioctl(machine->vcpu, DUNE_RUN, argument), EINVAL);
		break;
	default:
		answer(target, "LEASE_KVM", ioctl(machine->vm, DUNE_LEASE_KVM, argument), 0);
	}
}

/* Numbers nobody has, and those of the other kind of descriptor. */
static void ask_for_what_is_not_there(struct target *target)
{
	static const unsigned int numbers[] = {
		DUNE_GET_INFO, DUNE_SET_SLOT, DUNE_GET_STATS, DUNE_GET_STATE, DUNE_SET_STATE,
		DUNE_RUN, DUNE_CREATE_VCPU, DUNE_INTERRUPT,
	};
	unsigned int number = numbers[below(&target->draw, ARRAY_SIZE(numbers))];
	bool of_vcpu = _IOC_NR(number) < 0x10;	/* the other kind */

	switch (below(&target->draw, 4)) {
	case 0:		/* its size or direction is another one */
		number ^= 1u << (16 + below(&target->draw, 16));
		break;
	case 1:
		number = _IOC(_IOC_READ | _IOC_WRITE, DUNE_IOCTL_TYPE, 0x20 +
			      below(&target->draw, 0xe0), below(&target->draw, 1 << 13));
		break;
	case 2:
		number ^= 1u << (8 + below(&target->draw, 8));
	}
	answer(target, "no such request",
	       ioctl(of_vcpu ? target->machine.vcpu : target->machine.vm, number,
		     draw_edge(&target->draw)), ENOTTY);
}

static void create_vcpu(struct target *target)
{
	unsigned long argument = one_in(&target->draw, 4) ? draw_edge(&target->draw) : 0;
	int fd = ioctl(target->machine.vm, DUNE_CREATE_VCPU, argument);

	answer(target, "CREATE_VCPU", fd, argument ? EINVAL : 0);
	if (fd >= 0)
		close(fd);
}

/* Only one page of it, shared, from the beginning, can be mapped. */
static void map_run_page(struct target *target)
{
	struct draw *draw = &target->draw;
	size_t pages = one_in(draw, 2) ? 1 : below(draw, 4);
	off_t offset = one_in(draw, 2) ? 0 : (off_t)(draw_edge(draw) & 0x7ffffffffffff000);
	int flags = one_in(draw, 4) ? MAP_PRIVATE : MAP_SHARED;
	int protection = below(draw, 4);
	bool good = pages == 1 && offset == 0 && flags == MAP_SHARED;
	unsigned char *at = mmap(NULL, pages * GUEST_PAGE, protection, flags, target->machine.vcpu,
				 offset);

	atomic_fetch_add(&tally->requests, 1);
	check(good == (at != MAP_FAILED), "%zu pages of a vCPU at 0x%lx, flags %d: %s", pages,
	      (long)offset, flags, at == MAP_FAILED ? strerror(errno) : "mapped");
	if (at == MAP_FAILED)
		return;
	mprotect(at, GUEST_PAGE, below(draw, 8));
	check(mremap(at, GUEST_PAGE, 2 * GUEST_PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	      "the run page has grown");
	munmap(at, GUEST_PAGE);
}

/* A child has the descriptors and not the address space. */
static void ask_from_a_child(struct target *target)
{
	struct dune_info info;
	int status;
	pid_t pid = fork();

	check(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0) {
		bool refused =
			ioctl(target->machine.vm, DUNE_GET_INFO, &info) == -1 && errno == EIO &&
			ioctl(target->machine.vcpu, DUNE_RUN, 0) == -1 && errno == EIO &&
			ioctl(target->machine.vcpu, DUNE_INTERRUPT, 64) == -1 && errno == EIO;

		_exit(refused ? 0 : 1);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "a forked child is served: 0x%x",
	      status);
}

static void treat_as_a_file(struct target *target)
{
	int fd = one_in(&target->draw, 2) ? target->machine.vm : target->machine.vcpu;
	char bytes[16] = { 0 };

	answer(target, "read", read(fd, bytes, sizeof(bytes)), EINVAL);
	answer(target, "write", write(fd, bytes, sizeof(bytes)), EINVAL);
	lseek(fd, draw64(&target->draw), below(&target->draw, 5));
	close(dup(fd));
	answer(target, "ftruncate", ftruncate(fd, draw_edge(&target->draw) >> 1), 0);
}

void request_any(struct target *target)
{
	static const struct {
		void (*make)(struct target *target);
		unsigned int weight;
	} kinds[] = {
		{ set_slot, 8 }, { set_state, 6 }, { get_something, 3 }, { set_argument, 4 },
		{ ask_for_what_is_not_there, 3 }, { create_vcpu, 2 }, { map_run_page, 2 },
		{ treat_as_a_file, 1 },
	};
	unsigned int place = below(&target->draw, 29), i = 0;

	/* A fork takes longer than all others together. */
	if (target->alone && one_in(&target->draw, 64)) {
		ask_from_a_child(target);
		return;
	}
	while (place >= kinds[i].weight)
		place -= kinds[i++].weight;
	kinds[i].make(target);
}

/* Asks for an exception, and tries one that is none by a run that would not enter anyway. */
void request_injection(struct target *target)
{
	struct dune_run *run = target->machine.run;
	struct dune_event event = { .valid = 1, .vector = below(&target->draw, 32) };

	event.has_error_code = (0x27d00 >> event.vector) & 1;
	if (event.has_error_code)
		event.error_code = below(&target->draw, 1 << 15);
	if (event.vector == 14)
		event.cr2 = draw_edge(&target->draw);
	if (one_in(&target->draw, 3))
		spoil(&target->draw, &event, sizeof(event));
	run->inject = event;
	if (event.valid && rules_refuse_event(&event)) {
		run->immediate_exit = 1;
		answer(target, "an event that is none", ioctl(target->machine.vcpu, DUNE_RUN, 0),
		       target->alone ? EINVAL : 0);
		run->inject.valid = 0;
		run->immediate_exit = 0;
		return;
	}
	atomic_fetch_add(&tally->injected, event.valid);
}
