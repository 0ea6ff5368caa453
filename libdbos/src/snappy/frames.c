// SPDX-License-Identifier: BSD-2-Clause
/* Frames of the pool, for tables and for pages, and their end. */
#include <errno.h>
#include <stddef.h>

#include "snappy/engine.h"
#include "snappy/settle.h"

static uint64_t new_frame(struct snappy *snappy, uint64_t gpa, uint64_t birth)
{
	if (gpa)
		machine_store(&life_of(&snappy->lives, gpa)->birth, birth);
	return gpa;
}

uint64_t snappy_new_table(struct snappy *snappy, unsigned int level, uint64_t birth)
{
	return new_frame(snappy, frames_alloc_table(snappy->pool, level), birth);
}

/*
 * The one that rests for longest, if nobody can reach it any more, else one that nobody ever could:
 * memory that was lent and not used yet may have no memory of the host's behind it.
 */
static uint64_t take_resting(struct snappy *snappy)
{
	uint64_t settled, irqs, gpa = 0, generation = 0;
	struct life **link = &snappy->resting, *life;

	if (!machine_load(&snappy->resting_count))
		return 0;
	settled = tlb_settled(snappy->cpus);
	irqs = spin_lock(&snappy->resting_lock);
	if (*link && (*link)->generation > settled) {
		generation = (*link)->generation;
		link = snappy->resting_unreached;
	}
	life = *link;
	if (life) {
		*link = life->next;
		if (snappy->resting_unreached == &life->next)
			snappy->resting_unreached = link;
		machine_store(&snappy->resting_count, snappy->resting_count - 1);
		gpa = life->frame;
	} else if (snappy->resting_count < FRAMES_ASK) {
		generation = 0;
	}
	spin_unlock(&snappy->resting_lock, irqs);
	if (!gpa && generation)
		tlb_ask(snappy->cpus, generation);
	return gpa;
}

void snappy_rest(struct snappy *snappy, struct life *life)
{
	uint64_t irqs = spin_lock(&snappy->resting_lock);

	life->next = *snappy->resting_unreached;
	*snappy->resting_unreached = life;
	if (life->generation)
		snappy->resting_unreached = &life->next;
	machine_store(&snappy->resting_count, snappy->resting_count + 1);
	spin_unlock(&snappy->resting_lock, irqs);
}

struct life *snappy_take_resting(struct snappy *snappy)
{
	uint64_t irqs = spin_lock(&snappy->resting_lock);
	struct life *resting = snappy->resting;

	snappy->resting = NULL;
	snappy->resting_unreached = &snappy->resting;
	machine_store(&snappy->resting_count, 0);
	spin_unlock(&snappy->resting_lock, irqs);
	return resting;
}

uint64_t snappy_resting_of(struct snappy *snappy, const struct lives_extent *extent)
{
	uint64_t irqs = spin_lock(&snappy->resting_lock), count = 0;

	for (const struct life *life = snappy->resting; life; life = life->next)
		count += lives_are_of(extent, life);
	spin_unlock(&snappy->resting_lock, irqs);
	return count;
}

void snappy_wake(struct snappy *snappy, const struct lives_extent *extent)
{
	uint64_t irqs = spin_lock(&snappy->resting_lock);
	struct life **link = &snappy->resting;

	while (*link) {
		if (!lives_are_of(extent, *link)) {
			link = &(*link)->next;
			continue;
		}
		if (snappy->resting_unreached == &(*link)->next)
			snappy->resting_unreached = link;
		*link = (*link)->next;
		machine_store(&snappy->resting_count, snappy->resting_count - 1);
	}
	spin_unlock(&snappy->resting_lock, irqs);
}

/* Nobody has ever seen it by an address of ours: it is over everywhere. */
int snappy_lend(struct snappy *snappy, const struct lives_extent *memory)
{
	int ret;

	if (snappy->lives.count == LIVES_EXTENTS)
		return -ENOSPC;
	for (uint64_t i = 0; i < memory->count; i++)
		memory->life[i] = (struct life){ .frame = memory->gpa + i * FRAME_SIZE };
	ret = world_stop(snappy->cpus);
	if (ret)
		return ret;
	lives_add(&snappy->lives, memory);
	world_start(snappy->cpus);
	for (uint64_t i = memory->count; i--;)
		snappy_rest(snappy, &memory->life[i]);
	return 0;
}

/* If the pool has none either, all vCPUs have caught up by then. */
uint64_t snappy_new_page(struct snappy *snappy, uint64_t birth)
{
	uint64_t gpa = take_resting(snappy);

	if (gpa)
		machine_add(&snappy->counters.reborn, 1);
	else
		gpa = frames_alloc(snappy->pool);
	if (!gpa)
		gpa = take_resting(snappy);
	return new_frame(snappy, gpa, birth);
}

static bool is_of_pool(const struct snappy *snappy, uint64_t gpa)
{
	return lives_extent(&snappy->lives, gpa) == &snappy->lives.extent[0];
}

/*
 * What somebody else makes of the frame is not ours: nobody's own, and so never written where it
 * is, but copied.
 */
static void free_frame(struct snappy *snappy, struct life *life)
{
	uint64_t gpa = life->frame & ~LIFE_LEVEL;

	machine_store(&life->birth, 0);
	if (life->frame & LIFE_LEVEL)
		frames_retire_table(snappy->pool, gpa, life->frame & LIFE_LEVEL, life->generation);
	else if (is_of_pool(snappy, gpa))
		frames_retire(snappy->pool, gpa, life->generation);
	else
		snappy_rest(snappy, life);
}

/* Generation 0 is over everywhere. */
void snappy_drop(struct snappy *snappy, uint64_t gpa)
{
	struct life *life = life_of(&snappy->lives, gpa);

	machine_store(&life->birth, 0);
	life->frame = gpa;
	life->generation = 0;
	if (is_of_pool(snappy, gpa))
		frames_free(snappy->pool, gpa);
	else
		snappy_rest(snappy, life);
}

static bool host_uses(struct snappy *snappy, const struct life *life)
{
	uint64_t host;

	if (life->frame & LIFE_LEVEL)
		return false;
	host = (uint64_t)life_host_memory(&snappy->lives, life->frame);
	return inflight_uses(snappy->inflights, machine_load(&snappy->cpus->limit), host,
			     host + FRAME_SIZE);
}

/*
 * Which calls had looked the frame up is known since the flush behind its unlinking. The count is
 * raised first: a call that ends meanwhile sees it and comes for the lock, or is seen to be over.
 */
static bool must_wait(struct snappy *snappy, struct life *life)
{
	uint64_t irqs = spin_lock(&snappy->waiting_lock);
	bool wait;

	machine_add(&snappy->inflights->waiting, 1);
	wait = host_uses(snappy, life);
	if (wait) {
		life->next = snappy->waiting;
		snappy->waiting = life;
	} else {
		machine_add(&snappy->inflights->waiting, -1ull);
	}
	spin_unlock(&snappy->waiting_lock, irqs);
	return wait;
}

/* Returns how many of them have to wait. */
static uint64_t free_unused(struct snappy *snappy, struct life *lives)
{
	struct life *next;
	uint64_t waiting = 0;

	for (; lives; lives = next) {
		next = lives->next;
		if (must_wait(snappy, lives))
			waiting++;
		else
			free_frame(snappy, lives);
	}
	return waiting;
}

void snappy_free_lives(struct snappy *snappy, struct life *lives)
{
	uint64_t waiting = free_unused(snappy, lives);

	if (waiting)
		machine_add(&snappy->counters.waited, waiting);
}

void snappy_calls_ended(void *arg)
{
	struct snappy *snappy = arg;
	uint64_t irqs = spin_lock(&snappy->waiting_lock);
	struct life *waiting = snappy->waiting;

	snappy->waiting = NULL;
	for (struct life *life = waiting; life; life = life->next)
		machine_add(&snappy->inflights->waiting, -1ull);
	spin_unlock(&snappy->waiting_lock, irqs);
	/* Those that wait for another call have been counted. */
	free_unused(snappy, waiting);
}

void snappy_unlink(struct snappy *snappy, struct branch *branch, uint64_t gpa, unsigned int level,
		   uint64_t generation)
{
	struct life *life = life_of(&snappy->lives, gpa);

	life->frame = gpa | level;
	life->generation = generation;
	life->next = NULL;
	if (!branch_hold(branch, life))
		snappy_free_lives(snappy, life);
}
