// SPDX-License-Identifier: BSD-2-Clause
/* Random choices: splitmix64 (Steele, Lea, Flood, OOPSLA 2014), a stream for each thread. */
#include "fuzz.h"

uint64_t draw64(struct draw *draw)
{
	uint64_t z = draw->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

struct draw draw_from(uint64_t seed, uint64_t index, uint64_t thread)
{
	struct draw draw = { seed };

	draw.state = draw64(&draw) ^ index;
	draw.state = draw64(&draw) ^ thread;
	return draw;
}

/* Not quite even, and it does not matter. */
uint64_t below(struct draw *draw, uint64_t limit)
{
	return draw64(draw) % limit;
}

uint64_t draw_edge(struct draw *draw)
{
	static const uint64_t edges[] = {
		0, 1, GUEST_PAGE, MEMORY_SIZE, 1ull << 31, 1ull << 32, 1ull << 39, 1ull << 40,
		1ull << 46, 1ull << 47, 1ull << 48, 1ull << 52, 1ull << 63,
		0xffff800000000000, 0xffff888000000000, 0xffffffff80000000, 0x7ffffffff000,
	};

	switch (below(draw, 6)) {
	case 0:
		return draw64(draw);
	case 1:
		return 1ull << below(draw, 64);
	case 2:
		return draw64(draw) >> below(draw, 64);
	case 3:
		return -below(draw, 3 * GUEST_PAGE);
	default:
		return edges[below(draw, sizeof(edges) / sizeof(edges[0]))] + below(draw, 3) - 1;
	}
}

uint64_t draw_guest_address(struct draw *draw)
{
	static const uint64_t places[] = {
		GUEST_PML4, GUEST_PDPT, GUEST_PD, GUEST_PT, GUEST_GDT, GUEST_TSS, GUEST_IDT,
		GUEST_DATA, GUEST_CODE, GUEST_SPARE, GROUND_EXTRA, GROUND_EXTRA + GUEST_PAGE,
		GROUND_EXTRA + 2 * GUEST_PAGE, GROUND_EXTRA + 3 * GUEST_PAGE,
	};
	uint64_t place = places[below(draw, sizeof(places) / sizeof(places[0]))];

	switch (below(draw, 4)) {
	case 0:
		return below(draw, MEMORY_SIZE + 8 * GUEST_PAGE);
	case 1:
		return place + GUEST_PAGE - below(draw, 16);	/* across the end of a page */
	default:
		return place + below(draw, GUEST_PAGE / 8) * 8;
	}
}
