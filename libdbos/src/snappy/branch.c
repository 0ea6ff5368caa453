// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>

#include "snappy/branch.h"

/* The lock is held. */
static bool give_to(struct branch *child, struct life *life)
{
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
	spin_unlock(&parent->lock, irqs);
}

/* The lock of its parent is held. */
static void unlink_child(struct branch *child)
{
	struct branch *parent = child->parent;
	struct branch **link = &parent->child;

	while (*link != child)
		link = &(*link)->elder;
	*link = child->elder;
	machine_store(&parent->newest, parent->child ? parent->child->epoch : 0);
}

/*
 * From here on nothing comes to its list. One of its items after the other goes on, the lock being
 * free in between: faults of the parent wait for it.
 */
struct life *branch_remove(struct branch *child)
{
	struct branch *parent = child->parent;
	uint64_t irqs = spin_lock(&parent->lock);
	struct life *free = NULL, *life, *next;

	unlink_child(child);
	spin_unlock(&parent->lock, irqs);
	for (life = child->held; life; life = next) {
		bool held;

		next = life->next;
		irqs = spin_lock(&parent->lock);
		held = give_to(child->elder, life);
		spin_unlock(&parent->lock, irqs);
		if (held)
			continue;
		life->next = free;
		free = life;
	}
	machine_add(child->all_held, -child->held_count);
	child->held = NULL;
	child->held_count = 0;
	return free;
}
