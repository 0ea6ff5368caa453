// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>

#include "snappy/branch.h"

/* @child or the next older one that may have it has it. The lock is held. */
static bool give_to(struct branch *child, struct life *life)
{
	while (child && life->frame & LIFE_LEVEL && !child->shares)
		child = child->elder;
	if (!child || child->epoch < machine_load(&life->birth))
		return false;
	life->next = child->held;
	child->held = life;
	child->held_count++;
	machine_add(child->all_held, 1);
	return true;
}

bool branch_hold(struct branch *branch, struct life *life)
{
	uint64_t irqs = spin_lock(&branch->lock);
	bool held = give_to(branch->child, life);

	spin_unlock(&branch->lock, irqs);
	return held;
}

void branch_insert(struct branch *parent, struct branch *child)
{
	uint64_t irqs = spin_lock(&parent->lock);

	child->parent = parent;
	child->elder = parent->child;
	parent->child = child;
	machine_store(&parent->newest, child->epoch);
	if (child->shares)
		machine_store(&parent->sharing, child->epoch);
	spin_unlock(&parent->lock, irqs);
}

void branch_unlink(struct branch *child)
{
	struct branch *parent = child->parent, *sharing;
	struct branch **link = &parent->child;
	uint64_t irqs = spin_lock(&parent->lock);

	while (*link != child)
		link = &(*link)->elder;
	*link = child->elder;
	machine_store(&parent->newest, parent->child ? parent->child->epoch : 0);
	for (sharing = parent->child; sharing && !sharing->shares; sharing = sharing->elder)
		;
	machine_store(&parent->sharing, sharing ? sharing->epoch : 0);
	parent->leaving++;
	spin_unlock(&parent->lock, irqs);
}

struct branch *branch_next(struct branch *branch)
{
	if (branch->child)
		return branch->child;
	while (branch && !branch->elder)
		branch = branch->parent;
	return branch ? branch->elder : NULL;
}

/*
 * Nothing comes to its list any more. Its elder neighbour is looked for anew: the one that it had
 * may have gone meanwhile, and those that have come are younger. One item after the other goes on,
 * the lock being free in between: faults of the parent wait for it.
 */
struct life *branch_hand_on(struct branch *child, uint64_t most)
{
	struct branch *parent = child->parent, *elder = parent->child;
	struct life *free = NULL, *life;

	while (elder && elder->epoch > child->epoch)
		elder = elder->elder;
	for (; child->held && most; most--) {
		uint64_t irqs = spin_lock(&parent->lock);
		bool held;

		life = child->held;
		child->held = life->next;
		held = give_to(elder, life);
		spin_unlock(&parent->lock, irqs);
		child->held_count--;
		machine_add(child->all_held, -1ull);
		if (held)
			continue;
		life->next = free;
		free = life;
	}
	return free;
}
