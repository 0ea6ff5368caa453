// SPDX-License-Identifier: BSD-2-Clause
/* The frame allocator: see frames.h. */
#include "mm/frames.h"

void frames_create(struct frames *frames, struct cpus *cpus, void *memory, uint64_t gpa,
		   uint32_t count, struct frame *frame)
{
	frames->cpus = cpus;
	frames->memory = memory;
	frames->gpa = gpa;
	frames->count = count;
	frames->frame = frame;
	for (uint32_t i = 0; i < FRAMES_PARTITIONS; i++) {
		frames->partition[i].fresh = (uint64_t)count * i / FRAMES_PARTITIONS;
		frames->partition[i].end = (uint64_t)count * (i + 1) / FRAMES_PARTITIONS;
	}
}

static void append(struct frames *frames, struct frame_list *list, uint32_t number)
{
	frames->frame[number].next = 0;
	if (list->count++)
		frames->frame[list->last].next = number + 1;
	else
		list->first = number;
	list->last = number;
}

/* The list is not empty. */
static uint32_t take_first(struct frames *frames, struct frame_list *list)
{
	uint32_t number = list->first;

	if (--list->count)
		list->first = frames->frame[number].next - 1;
	return number;
}

static void move(struct frames *frames, struct frame_list *from, struct frame_list *to,
		 uint32_t most)
{
	while (from->count && most--)
		append(frames, to, take_first(frames, from));
}

/* What is out of everybody's reach leaves limbo; the first that is not holds up those behind. */
static void move_settled(struct frames *frames, struct frame_list *limbo, struct frame_list *to,
			 uint64_t settled)
{
	while (limbo->count && frames->frame[limbo->first].generation <= settled)
		append(frames, to, take_first(frames, limbo));
}

static uint32_t home(const struct frames *frames, const struct frames_own *own)
{
	return (own - frames->own) % FRAMES_PARTITIONS;
}

/* The calling vCPU's lists; NULL in the host. Interrupts are off, so it stays ours. */
static struct frames_own *own_lists(struct frames *frames)
{
	unsigned int number = machine_cpu();

	return number == MACHINE_NO_CPU ? NULL : &frames->own[number];
}

/* Up to @most frames of one partition: used ones that are settled, then fresh ones. */
static void take_from(struct frames *frames, struct frames_partition *partition,
		      struct frame_list *list, uint32_t most)
{
	uint64_t settled = tlb_settled(frames->cpus);
	uint64_t irqs = spin_lock(&partition->lock);

	move_settled(frames, &partition->limbo, &partition->free, settled);
	move(frames, &partition->free, list, most);
	while (list->count < most && partition->fresh < partition->end)
		append(frames, list, partition->fresh++);
	spin_unlock(&partition->lock, irqs);
}

static void take_batch(struct frames *frames, struct frame_list *list, uint32_t first,
		       uint32_t most)
{
	for (uint32_t i = 0; i < FRAMES_PARTITIONS && !list->count; i++) {
		uint32_t partition = (first + i) % FRAMES_PARTITIONS;

		take_from(frames, &frames->partition[partition], list, most);
	}
}

/* In the host there is no list to keep a batch in. */
static uint64_t alloc_once(struct frames *frames)
{
	uint64_t irqs = machine_irqs_off();
	struct frames_own *own = own_lists(frames);
	struct frame_list one = { 0 };
	struct frame_list *list = own ? &own->free : &one;
	uint64_t gpa = 0;

	if (own && !list->count)
		move_settled(frames, &own->limbo, list, tlb_settled(frames->cpus));
	if (!list->count)
		take_batch(frames, list, own ? home(frames, own) : 0, own ? FRAMES_BATCH : 1);
	if (list->count)
		gpa = frames->gpa + (uint64_t)take_first(frames, list) * FRAME_SIZE;
	machine_irqs_restore(irqs);
	return gpa;
}

uint64_t frames_alloc(struct frames *frames)
{
	uint64_t gpa = alloc_once(frames);

	if (gpa)
		return gpa;
	/* What waits in limbo waits for vCPUs that have nothing to flush for: make them. */
	tlb_wait(frames->cpus, machine_load(&frames->cpus->tlb.generation));
	return alloc_once(frames);
}

static uint32_t number_of(const struct frames *frames, uint64_t gpa)
{
	return (gpa - frames->gpa) / FRAME_SIZE;
}

/* A vCPU that frees more than it needs gives the surplus away, oldest first. */
static void spill(struct frames *frames, struct frames_partition *partition,
		  struct frames_own *own, uint32_t keep)
{
	uint64_t irqs = spin_lock(&partition->lock);

	if (own->free.count > keep)
		move(frames, &own->free, &partition->free, own->free.count - keep);
	if (own->limbo.count > keep)
		move(frames, &own->limbo, &partition->limbo, own->limbo.count - keep);
	spin_unlock(&partition->lock, irqs);
}

void frames_free(struct frames *frames, uint64_t gpa)
{
	frames_retire(frames, gpa, 0);
}

/* Generation 0 settles everywhere at all times: such a frame is free at once. */
void frames_retire(struct frames *frames, uint64_t gpa, uint64_t generation)
{
	uint64_t irqs = machine_irqs_off();
	struct frames_own *own = own_lists(frames);
	struct frames_own one = { 0 };
	uint32_t number = number_of(frames, gpa);
	struct frames_own *to = own ? own : &one;
	struct frames_partition *partition =
		&frames->partition[own ? home(frames, own) : number % FRAMES_PARTITIONS];

	frames->frame[number].generation = generation;
	append(frames, generation ? &to->limbo : &to->free, number);
	if (!own)
		spill(frames, partition, &one, 0);
	else if (own->free.count > FRAMES_LIST || own->limbo.count > FRAMES_LIST)
		spill(frames, partition, own, FRAMES_BATCH);
	machine_irqs_restore(irqs);
}

void frames_give_back(struct frames *frames, unsigned int number)
{
	struct frames_own *own = &frames->own[number];
	uint64_t irqs = machine_irqs_off();

	spill(frames, &frames->partition[home(frames, own)], own, 0);
	machine_irqs_restore(irqs);
}
