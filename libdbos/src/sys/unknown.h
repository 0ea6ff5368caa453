/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls whose number the table does not have: counted, and reported once if asked for. */
#ifndef DBOS_UNKNOWN_H
#define DBOS_UNKNOWN_H

#include <stdbool.h>
#include <stdint.h>

#define UNKNOWN_MAX 64

/* Slots are taken in order and never given back, by a compare-and-swap of .number. */
struct unknown_calls {
	bool trace;
	struct {
		uint64_t number;	/* one too high: 0 is none */
		uint64_t count;
	} slot[UNKNOWN_MAX];
};

/* From the run loop, by any thread. */
void unknown_note(struct unknown_calls *unknown, uint64_t number);

#endif /* DBOS_UNKNOWN_H */
