// SPDX-License-Identifier: BSD-2-Clause
/*
 * exits [REPETITIONS]: what each kind of exit costs under dune.ko and under KVM, by the
 * time-stamp counter, which counts instructions where the engine does. Both need the CPU in SVM
 * operation for themselves, so they take turns: a machine of each in every repetition.
 *
 *	loop WHERE WANTED COUNTED	a loop of WANTED instructions, run there
 *	exit KIND WHO TICKS EVENTS	one sample: all of TICKS was spent on that many exits
 *
 * exits --endless KIND WHO: that kind without end, for a look at what it executes. It says
 * "runs" when it does.
 */
#include "bench.h"

#define ROUND_TRIPS  200	/* in a sample, of exits that go to the process */
#define IN_GUEST     64		/* exits that do not, between two that do */
#define GUEST_ROUNDS 4
#define LOOP_TURNS   20000
#define LOOP_TRIES   9

#define STRING(x) #x
#define NUMBER(x) STRING(x)

/* Guest code, position-independent, up to ID_end. */
#define GUEST(id, code)                                                                        \
	extern const char id[], id##_end[];                                                    \
	__asm__(".pushsection .rodata\n" #id ":\n\t" code "\n" #id "_end:\n\t.popsection\n")
/* Over and over: an event as often as IN_GUEST says, then out to the process. */
#define GUEST_LOOP(id, event)                                                                  \
	GUEST(id, "0: mov $" NUMBER(IN_GUEST) ", %r8d\n"                                       \
		  "1: mov $1, %eax; mov $0x1ffe, %ecx\n" event "\n"                            \
		  "dec %r8d; jnz 1b; out %al, $" NUMBER(PORT) "; jmp 0b")

GUEST(out_code, "0: out %al, $" NUMBER(PORT) "; jmp 0b");
GUEST(hlt_code, "0: hlt; jmp 0b");
GUEST(irq_code, "sti; 0: out %al, $" NUMBER(PORT) "; jmp 0b");
GUEST(on_irq, "out %al, $" NUMBER(PORT_IRQ) "; iretq");
GUEST(on_gp, "addq $2, 8(%rsp); add $8, %rsp; iretq"); /* RDMSR is two bytes long */
GUEST_LOOP(nothing_code, "");
GUEST_LOOP(cpuid_code, "cpuid");
GUEST_LOOP(rdmsr_code, "rdmsr"); /* ECX: an MSR that nobody has */
GUEST(touch_code, "0: mov $" NUMBER(REGION) ", %ebx; mov $" NUMBER(REGION_PAGES) ", %ecx\n"
		  "1: movb $1, (%rbx); add $" NUMBER(GUEST_PAGE) ", %ebx; dec %ecx; jnz 1b\n"
		  "out %al, $" NUMBER(PORT) "; jmp 0b");
/* EAX: what it took, from one RDTSC to the other. */
#define TIMED_LOOP                                                                             \
	"rdtsc; mov %eax, %esi; mov $" NUMBER(LOOP_TURNS) ", %ecx\n"                           \
	"1: dec %ecx; jnz 1b; rdtsc; sub %esi, %eax"
#define TIMED_INSTRUCTIONS (2 * LOOP_TURNS + 3)
/* It changes only registers that a function may. */
extern uint32_t time_loop(void);
__asm__(".pushsection .text\ntime_loop:\n\t" TIMED_LOOP "\n\tret\n\t.popsection");
GUEST(timed_code, "0: " TIMED_LOOP "; out %eax, $" NUMBER(PORT) "; jmp 0b");

struct sample {
	uint64_t ticks, events;
};

struct kind {
	const char *name;
	const char *code, *end;
	int ends_with;
	struct sample (*measure)(struct machine *machine, const struct kind *kind);
	void (*prepare)(struct machine *machine);
};

/* Nothing is ordered around it: an engine that counts instructions executes them in order. */
static uint64_t now(void)
{
	return __builtin_ia32_rdtsc();
}

static void expect(struct machine *machine, int ended, int wanted)
{
	check(ended == wanted, "%s: ended with %d, not %d", machine->hypervisor->name, ended,
	      wanted);
}

static void run_to(struct machine *machine, int wanted)
{
	expect(machine, machine->hypervisor->run(machine), wanted);
}

static int run_nothing(struct machine *machine)
{
	(void)machine;
	return PORT;
}

static uint64_t loop(struct machine *machine, int (*run)(struct machine *machine), int wanted)
{
	uint64_t start = now();

	for (int i = 0; i < ROUND_TRIPS; i++)
		expect(machine, run(machine), wanted);
	return now() - start;
}

/* What a run takes, without our own loop. */
static struct sample round_trips(struct machine *machine, const struct kind *kind)
{
	uint64_t with;

	loop(machine, machine->hypervisor->run, kind->ends_with);
	with = loop(machine, machine->hypervisor->run, kind->ends_with);
	return (struct sample){ with - loop(machine, run_nothing, PORT), ROUND_TRIPS };
}

static struct sample unentered(struct machine *machine, const struct kind *kind)
{
	struct sample sample;

	machine->hypervisor->refuse_entry(machine, true);
	sample = round_trips(machine, kind);
	machine->hypervisor->refuse_entry(machine, false);
	return sample;
}

static uint64_t guest_rounds(struct machine *machine, uint64_t rip)
{
	uint64_t start;

	machine->hypervisor->start_at(machine, rip);
	run_to(machine, PORT);
	start = now();
	for (int i = 0; i < GUEST_ROUNDS; i++)
		run_to(machine, PORT);
	return now() - start;
}

/* Events that the hypervisor answers by itself: what they add to a loop without them. */
static struct sample in_guest(struct machine *machine, const struct kind *kind)
{
	uint64_t with = guest_rounds(machine, GUEST_CODE);

	(void)kind;
	machine_place(machine, GUEST_EMPTY, nothing_code, nothing_code_end);
	return (struct sample){ with - guest_rounds(machine, GUEST_EMPTY),
				GUEST_ROUNDS * IN_GUEST };
}

/* The region as @prepare leaves it, against the region with every page mapped. */
static struct sample faults(struct machine *machine, const struct kind *kind)
{
	uint64_t start, middle;

	run_to(machine, PORT);
	kind->prepare(machine);
	start = now();
	run_to(machine, PORT);
	middle = now();
	run_to(machine, PORT);
	return (struct sample){ middle - start - (now() - middle), REGION_PAGES };
}

static uint64_t interrupt_rounds(struct machine *machine, bool interrupt)
{
	uint64_t start = now();

	for (int i = 0; i < ROUND_TRIPS; i++) {
		if (interrupt)
			machine->hypervisor->interrupt(machine, VECTOR);
		run_to(machine, interrupt ? PORT_IRQ : PORT);
		run_to(machine, PORT);	/* behind the handler's IRET: ready for the next */
	}
	return now() - start;
}

/* What one adds to two runs: raising it, injecting it, and the guest's IRET. */
static struct sample interrupts(struct machine *machine, const struct kind *kind)
{
	uint64_t with;

	(void)kind;
	run_to(machine, PORT);
	interrupt_rounds(machine, true);
	with = interrupt_rounds(machine, true);
	return (struct sample){ with - interrupt_rounds(machine, false), ROUND_TRIPS };
}

#define CODE(id) id##_code, id##_code_end

static const struct kind kinds[] = {
	{ "unentered", CODE(out), ENDED_UNENTERED, unentered, NULL },
	{ "out", CODE(out), PORT, round_trips, NULL },
	{ "hlt", CODE(hlt), ENDED_HLT, round_trips, NULL },
	{ "cpuid", CODE(cpuid), PORT, in_guest, NULL },
	{ "rdmsr", CODE(rdmsr), PORT, in_guest, NULL },
	{ "interrupt", CODE(irq), PORT, interrupts, NULL },
	{ "fault_new", CODE(touch), PORT, faults, region_renew },
	{ "fault_discarded", CODE(touch), PORT, faults, region_discard },
	{ "fault_present", CODE(touch), PORT, faults, region_fill },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct hypervisor *const hypervisors[] = { &dune, &kvm };

static void start(struct machine *machine, const char *code, const char *end)
{
	machine_place(machine, GUEST_CODE, code, end);
	machine->hypervisor->start_at(machine, GUEST_CODE);
}

static void print_loop(const char *where, uint64_t least)
{
	printf("loop %s %d %lu\n", where, TIMED_INSTRUCTIONS, least);
}

/* The least of some tries is one that no timer interrupt was in. */
static void time_loops(struct machine *machine)
{
	uint64_t outside = UINT64_MAX, inside = UINT64_MAX;

	start(machine, CODE(timed));
	for (int i = 0; i < LOOP_TRIES; i++) {
		uint32_t ticks = time_loop();

		outside = ticks < outside ? ticks : outside;
		run_to(machine, PORT);
		ticks = machine->hypervisor->written(machine);
		inside = ticks < inside ? ticks : inside;
	}
	print_loop("process", outside);
	print_loop(machine->hypervisor->name, inside);
}

static void sample_all(struct machine *machine)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct sample sample;

		start(machine, kinds[i].code, kinds[i].end);
		sample = kinds[i].measure(machine, &kinds[i]);
		printf("exit %s %s %lu %lu\n", kinds[i].name, machine->hypervisor->name,
		       sample.ticks, sample.events);
	}
}

static void repeat(int repetitions)
{
	for (int i = 0; i < repetitions; i++) {
		for (size_t j = 0; j < COUNT(hypervisors); j++) {
			struct machine machine;

			machine_create(&machine, hypervisors[j]);
			machine_place(&machine, GUEST_ON_GP, on_gp, on_gp_end);
			machine_place(&machine, GUEST_ON_IRQ, on_irq, on_irq_end);
			if (i == 0)
				time_loops(&machine);
			sample_all(&machine);
			machine_destroy(&machine);
			fflush(stdout);
		}
	}
}

static void repeat_one(const char *name, const char *who)
{
	struct machine machine;
	size_t i = 0, j = 0;

	while (i < COUNT(kinds) && strcmp(name, kinds[i].name) != 0)
		i++;
	while (j < COUNT(hypervisors) && strcmp(who, hypervisors[j]->name) != 0)
		j++;
	check(i < COUNT(kinds) && j < COUNT(hypervisors), "no %s under %s", name, who);
	machine_create(&machine, hypervisors[j]);
	machine_place(&machine, GUEST_ON_GP, on_gp, on_gp_end);
	machine_place(&machine, GUEST_ON_IRQ, on_irq, on_irq_end);
	for (bool first = true;; first = false) {
		start(&machine, kinds[i].code, kinds[i].end);
		kinds[i].measure(&machine, &kinds[i]);
		if (first) {
			printf("runs\n");
			fflush(stdout);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "--endless") == 0)
		repeat_one(argv[2], argv[3]);
	repeat(argc > 1 ? atoi(argv[1]) : 5);
	return 0;
}
