// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>

#include "mm/inflight.h"

/* Nobody looks at it while there are no pieces. */
void inflight_begin(struct inflight *inflight, uint64_t root)
{
	inflight->root = root;
}

void inflight_make_room(struct inflight *inflight, struct inflight_piece *more, uint64_t room)
{
	uint64_t irqs = spin_lock(&inflight->lock);

	inflight->more = more;
	inflight->room = room;
	spin_unlock(&inflight->lock, irqs);
}

bool inflight_add(struct inflight *inflight, const struct inflight_piece *piece)
{
	uint64_t irqs = spin_lock(&inflight->lock);
	uint64_t count = inflight->count;
	bool fits = count < INFLIGHT_PIECES + inflight->room;

	if (fits && count < INFLIGHT_PIECES)
		inflight->piece[count] = *piece;
	else if (fits)
		inflight->more[count - INFLIGHT_PIECES] = *piece;
	if (fits)
		machine_store(&inflight->count, count + 1);
	spin_unlock(&inflight->lock, irqs);
	return fits;
}

/*
 * Whoever lets a frame wait says so, and then looks for calls that use it; with the barrier in
 * between either it finds this one over, or this one finds it waiting.
 */
void inflight_end(struct inflights *inflights, unsigned int number)
{
	struct inflight *inflight = &inflights->cpu[number];
	uint64_t irqs = spin_lock(&inflight->lock);

	machine_store(&inflight->count, 0);
	inflight->more = NULL;
	inflight->room = 0;
	spin_unlock(&inflight->lock, irqs);
	machine_fence();
	if (machine_load(&inflights->waiting))
		inflights->ended(inflights->arg);
}

/* No page table is at 0. */
bool inflight_uses(struct inflights *inflights, uint64_t limit, uint64_t from, uint64_t to)
{
	return inflight_uses_beside(inflights, limit, 0, from, to);
}

bool inflight_uses_beside(struct inflights *inflights, uint64_t limit, uint64_t root,
			  uint64_t from, uint64_t to)
{
	bool uses = false;

	for (uint64_t i = 0; !uses && i < limit; i++) {
		struct inflight *inflight = &inflights->cpu[i];
		uint64_t irqs;

		/* A call that was noted before is seen here, or is over. */
		if (!machine_load(&inflight->count) || inflight->root == root)
			continue;
		irqs = spin_lock(&inflight->lock);
		for (uint64_t k = 0; k < inflight->count; k++) {
			const struct inflight_piece *piece = inflight_at(inflight, k);

			uses |= piece->host < to && from < piece->host + piece->length;
		}
		spin_unlock(&inflight->lock, irqs);
	}
	return uses;
}
