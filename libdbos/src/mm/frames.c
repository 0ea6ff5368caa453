// SPDX-License-Identifier: BSD-2-Clause
/* The frame allocator: see frames.h. */
#include <stdbool.h>

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

/* Up to @most used frames of one partition that are settled. */
static void take_used(struct frames *frames, struct frames_partition *partition,
		      struct frame_list *list, uint32_t most)
{
	uint64_t settled = tlb_settled(frames->cpus), generation = 0;
	uint64_t irqs = spin_lock(&partition->lock);

	move_settled(frames, &partition->limbo, &partition->free, settled);
	move(frames, &partition->free, list, most);
	if (partition->limbo.count >= FRAMES_ASK)
		generation = frames->frame[partition->limbo.first].generation;
	spin_unlock(&partition->lock, irqs);
	if (generation)
		tlb_ask(frames->cpus, generation);
}

static void take_fresh(struct frames *frames, struct frames_partition *partition,
		       struct frame_list *list, uint32_t most)
{
	uint64_t irqs = spin_lock(&partition->lock);

	while (list->count < most && partition->fresh < partition->end)
		append(frames, list, partition->fresh++);
	spin_unlock(&partition->lock, irqs);
}

/* Whoever used them: memory in use is what was in use at once, not what was used in turn. */
static void take_batch(struct frames *frames, struct frame_list *list, uint32_t first,
		       uint32_t most)
{
	for (uint32_t i = 0; i < 2 * FRAMES_PARTITIONS && !list->count; i++) {
		struct frames_partition *partition =
			&frames->partition[(first + i) % FRAMES_PARTITIONS];

		if (i < FRAMES_PARTITIONS)
			take_used(frames, partition, list, most);
		else
			take_fresh(frames, partition, list, most);
	}
}

static uint64_t gpa_of(const struct frames *frames, uint32_t number)
{
	return frames->gpa + (uint64_t)number * FRAME_SIZE;
}

/* What is at the head of the list, if it is @settled; the lock is held. */
static bool take_table(struct frames *frames, struct frame_list *list, uint64_t settled,
		       uint32_t *number)
{
	if (!list->count || frames->frame[list->first].generation > settled)
		return false;
	*number = take_first(frames, list);
	frames->tables.count--;
	return true;
}

/* A frame that was a table, for one of @level; 0: none. Those that fit nowhere else go first. */
static uint64_t reuse_table(struct frames *frames, unsigned int level)
{
	struct frames_tables *tables = &frames->tables;
	uint64_t settled, irqs, gpa = 0;
	uint32_t number;

	if (!level || !machine_load(&tables->count))
		return 0;
	settled = tlb_settled(frames->cpus);
	irqs = spin_lock(&tables->lock);
	for (; level && !gpa; level--) {
		if (take_table(frames, &tables->list[level - 1], settled, &number))
			gpa = gpa_of(frames, number);
	}
	spin_unlock(&tables->lock, irqs);
	return gpa;
}

/* Up to @most frames that were tables, and that no processor takes for one any more. */
static void take_tables_back(struct frames *frames, struct frame_list *list, uint32_t most)
{
	struct frames_tables *tables = &frames->tables;
	uint64_t flushed, irqs;
	uint32_t number;

	if (!machine_load(&tables->count))
		return;
	flushed = tlb_flushed(frames->cpus);
	irqs = spin_lock(&tables->lock);
	for (unsigned int i = 0; i < FRAMES_LEVELS; i++) {
		while (list->count < most &&
		       take_table(frames, &tables->list[i], flushed, &number)) {
			frames->frame[number].level = 0;
			append(frames, list, number);
		}
	}
	spin_unlock(&tables->lock, irqs);
}

/* In the host there is no list to keep a batch in. */
static uint64_t take_free(struct frames *frames)
{
	uint64_t irqs = machine_irqs_off();
	struct frames_own *own = own_lists(frames);
	struct frame_list one = { 0 };
	struct frame_list *list = own ? &own->free : &one;
	uint64_t gpa = 0;

	if (own && !list->count)
		move_settled(frames, &own->limbo, list, tlb_settled(frames->cpus));
	if (!list->count)
		take_tables_back(frames, list, own ? FRAMES_BATCH : 1);
	if (!list->count)
		take_batch(frames, list, own ? home(frames, own) : 0, own ? FRAMES_BATCH : 1);
	if (list->count)
		gpa = gpa_of(frames, take_first(frames, list));
	machine_irqs_restore(irqs);
	return gpa;
}

static uint64_t alloc_once(struct frames *frames, unsigned int level)
{
	uint64_t gpa = reuse_table(frames, level);

	return gpa ? gpa : take_free(frames);
}

uint64_t frames_alloc_table(struct frames *frames, unsigned int level)
{
	uint64_t gpa = alloc_once(frames, level);

	if (gpa)
		return gpa;
	/* What waits in limbo waits for vCPUs that have nothing to flush for: make them. */
	tlb_wait(frames->cpus, machine_load(&frames->cpus->tlb.generation));
	return alloc_once(frames, level);
}

uint64_t frames_alloc(struct frames *frames)
{
	return frames_alloc_table(frames, 0);
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

/* Generation 0 settles everywhere at all times: such a frame is free at once. */
static void put(struct frames *frames, uint32_t number, uint64_t generation)
{
	uint64_t irqs = machine_irqs_off();
	struct frames_own *own = own_lists(frames);
	struct frames_own one = { 0 };
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

/* Generation 0: the one that it has, though behind newer ones it waits for them. */
static void put_table(struct frames *frames, uint32_t number, uint64_t generation)
{
	struct frame *frame = &frames->frame[number];
	struct frames_tables *tables = &frames->tables;
	uint64_t irqs;

	if (generation)
		frame->generation = generation;
	irqs = spin_lock(&tables->lock);
	append(frames, &tables->list[frame->level - 1], number);
	tables->count++;
	spin_unlock(&tables->lock, irqs);
}

void frames_retire_table(struct frames *frames, uint64_t gpa, unsigned int level,
			 uint64_t generation)
{
	uint32_t number = number_of(frames, gpa);

	/* No lower than it was before: it was not handed out for less. */
	frames->frame[number].level = level;
	put_table(frames, number, generation);
}

void frames_retire(struct frames *frames, uint64_t gpa, uint64_t generation)
{
	put(frames, number_of(frames, gpa), generation);
}

void frames_free(struct frames *frames, uint64_t gpa)
{
	uint32_t number = number_of(frames, gpa);

	if (frames->frame[number].level)
		put_table(frames, number, 0);
	else
		put(frames, number, 0);
}

void frames_give_back(struct frames *frames, unsigned int number)
{
	struct frames_own *own = &frames->own[number];
	uint64_t irqs = machine_irqs_off();

	spill(frames, &frames->partition[home(frames, own)], own, 0);
	machine_irqs_restore(irqs);
}
