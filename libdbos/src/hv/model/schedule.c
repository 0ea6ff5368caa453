// SPDX-License-Identifier: BSD-2-Clause
/* Whose turn it is: vCPUs as coroutines, and what the hardware does between their steps. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hv/machine.h"
#include "hv/model/internal.h"

#define STACK_SIZE (64 * 1024)

struct model model;

bool model_create(size_t memory)
{
	model.memory = mmap(NULL, memory, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	model.memory_size = memory;
	return model.memory != MAP_FAILED;
}

void *model_memory(void)
{
	return model.memory;
}

/* xorshift64*; the seed is spread first, for neighbours to differ. */
static uint64_t draw(void)
{
	model.random ^= model.random >> 12;
	model.random ^= model.random << 25;
	model.random ^= model.random >> 27;
	return model.random * 0x2545f4914f6cdd1dull;
}

uint32_t model_random(uint32_t below)
{
	return (draw() >> 32) * below >> 32;
}

bool chance(uint32_t one_in)
{
	return model_random(one_in) == 0;
}

/* Schedules of one temper find one kind of fault: from every step a turn to hardly any. */
static uint32_t draw_chance(unsigned int least, unsigned int most)
{
	return 1u << (least + model_random(most - least + 1));
}

void model_begin(uint64_t seed, const struct model_hooks *hooks)
{
	/* Anonymous memory is zero again afterwards, for the price of the pages that were used. */
	madvise(model.memory, model.memory_size, MADV_DONTNEED);
	model.hooks = *hooks;
	model.random = (seed + 1) * 0x9e3779b97f4a7c15ull;
	model.random ^= model.random >> 31;
	model.random |= model.random == 0;
	model.temper = (struct temper){
		.turn = draw_chance(1, 6),
		.drain = draw_chance(1, 6),
		.evict = draw_chance(3, 12),
		.prefetch = draw_chance(2, 8),
		.sleep = draw_chance(8, 14),
		.ipi = draw_chance(0, 6),
		.held_up = draw_chance(3, 12),
	};
	memset(model.written, 0, sizeof(model.written));
	model.now = 0;
	model.failed = false;
	model.current = NULL;
	model.count = 0;
	model.addresses = 0;
	model.flush_code = 0;
	memset(model.by_id, 0, sizeof(model.by_id));
}

static void begin_cpu(void)
{
	struct model_cpu *cpu = model.current;

	cpu->main(cpu->arg);
	drain_stores(cpu, cpu->stores);
	cpu->done = true;
	model_switch(&cpu->stack_pointer, model.scheduler);
	abort();		/* nobody switches to it any more */
}

void model_add_cpu(unsigned int id, uint64_t cr3, void (*main)(void *arg), void *arg)
{
	struct model_cpu *cpu = model.spare[id];
	void **top;

	if (!cpu) {
		cpu = calloc(1, sizeof(*cpu));
		if (!cpu)
			abort();
		cpu->stack = malloc(STACK_SIZE);
		if (!cpu->stack)
			abort();
		model.spare[id] = cpu;
	}
	*cpu = (struct model_cpu){
		.id = id, .stack = cpu->stack, .main = main, .arg = arg,
		.irqs_on = true, .cr3 = cr3,
	};
	/* As a call and model_switch() leave it: aligned, a return address, six registers. */
	top = (void **)((char *)cpu->stack + STACK_SIZE) - 2;
	*top = (void *)begin_cpu;
	memset(top - 6, 0, 6 * sizeof(*top));
	cpu->stack_pointer = top - 6;
	model.by_id[id] = cpu;
	model.cpu[model.count++] = cpu;
}

void model_flush_code(uint64_t va, uint64_t gpa)
{
	model.flush_code = va;
	model.flush_code_gpa = gpa;
}

/* Any vCPU that can run and is not @but, if there is another; NULL: all are done. */
static struct model_cpu *next_cpu(const struct model_cpu *but)
{
	struct model_cpu *awake[MODEL_CPUS], *asleep = NULL;
	unsigned int count = 0;

	for (unsigned int i = 0; i < model.count; i++) {
		struct model_cpu *cpu = model.cpu[i];

		if (cpu->done || cpu == but)
			continue;
		if (cpu->asleep_until <= model.now)
			awake[count++] = cpu;
		else if (!asleep || cpu->asleep_until < asleep->asleep_until)
			asleep = cpu;
	}
	if (count)
		return awake[model_random(count)];
	if (but && !but->done && but->asleep_until <= model.now)
		return (struct model_cpu *)but;
	return asleep ? asleep : (but && !but->done ? (struct model_cpu *)but : NULL);
}

const char *model_run(void)
{
	struct model_cpu *cpu;

	while (!model.failed && (cpu = next_cpu(NULL))) {
		model.current = cpu;
		model_switch(&model.scheduler, cpu->stack_pointer);
		model.current = NULL;
	}
	return model.failed ? model.failure : NULL;
}

void model_fail(const char *format, ...)
{
	struct model_cpu *cpu = model.current;
	va_list arguments;

	if (!model.failed) {
		va_start(arguments, format);
		vsnprintf(model.failure, sizeof(model.failure), format, arguments);
		va_end(arguments);
	}
	model.failed = true;
	if (cpu)
		model_switch(&cpu->stack_pointer, model.scheduler);
}

static void turn_to(struct model_cpu *cpu)
{
	struct model_cpu *from = model.current;

	if (cpu == from)
		return;
	model.current = cpu;
	model_switch(&from->stack_pointer, cpu->stack_pointer);
}

/* What no instruction asks for. */
static void hardware_goes_on(void)
{
	struct model_cpu *cpu = model.cpu[model_random(model.count)];

	if (cpu->stores && chance(model.temper.drain))
		drain_stores(cpu, 1);
	if (cpu->translations && chance(model.temper.evict))
		tlb_drop_random(cpu);
	if (model.addresses && cpu->in_guest && chance(model.temper.prefetch))
		walk_ahead(cpu);
	if (chance(model.temper.sleep))
		cpu->asleep_until = model.now + model_random(LONG_SLEEP);
}

void step_inside_instruction(void)
{
	if (!model.current)
		return;
	if (++model.now > model.hooks.step_limit)
		model_fail("no end after %llu steps: vCPU %u waits for ever",
			   (unsigned long long)model.hooks.step_limit, model.current->id);
	hardware_goes_on();
	if (model.current->asleep_until > model.now || chance(model.temper.turn))
		turn_to(next_cpu(model.current));
}

/* Interrupts come between instructions, and one that is taken is pending no more. */
static void take_interrupt(struct model_cpu *cpu)
{
	while (cpu->ipi_pending && cpu->irqs_on && cpu->in_guest && chance(model.temper.ipi)) {
		cpu->ipi_pending = false;
		cpu->irqs_on = false;
		model.hooks.interrupt();
		cpu->irqs_on = true;
	}
}

void model_step(void)
{
	if (!model.current)
		return;
	take_interrupt(model.current);
	step_inside_instruction();
	take_interrupt(model.current);
}

void model_sleep(uint64_t steps)
{
	model.current->asleep_until = model.now + steps;
	model_step();
}

void machine_pause(void)
{
	model_step();
	if (!model.current)
		return;
	turn_to(next_cpu(model.current));
}

uint64_t model_now(void)
{
	return model.now;
}

unsigned int machine_cpu(void)
{
	return model.current && model.current->in_guest ? model.current->id : MACHINE_NO_CPU;
}

uint64_t machine_now(void)
{
	return model_now();
}

uint64_t machine_thread(void)
{
	return model.current ? model.current->id : 0;
}

uint64_t machine_irqs_off(void)
{
	bool was;

	if (!model.current)
		return 0;
	model_step();
	was = model.current->irqs_on;
	model.current->irqs_on = false;
	return was;
}

void machine_irqs_restore(uint64_t was)
{
	if (!model.current)
		return;
	model.current->irqs_on = was;
	model_step();
}

void machine_send_ipi(unsigned int id)
{
	struct model_cpu *cpu = model.by_id[id];

	model_step();
	drain_stores(model.current, model.current->stores);
	if (!cpu)
		model_fail("an IPI to vCPU %u, which is none", id);
	cpu->ipi_pending = true;
}

void model_enter_guest(void)
{
	model_step();
	model.current->in_guest = true;
	tlb_flush_at_entry(model.current);
	model_step();
}

void model_leave_guest(void)
{
	model_step();
	model.current->in_guest = false;
	/* A world switch waits for the stores before it. */
	drain_stores(model.current, model.current->stores);
	model_step();
}

void model_end_cpu(void)
{
	tlb_drop_all(model.current);
}
