// SPDX-License-Identifier: BSD-2-Clause
#include "tabby/tabby.h"

/* Inside it is the vCPU's number; outside, threads are numbered as they come. */
struct tabby_slot *tabby_slot(struct tabby *tabby)
{
	static __thread uint64_t own;
	static uint64_t threads;
	uint64_t number = machine_cpu();

	if (number == MACHINE_NO_CPU) {
		if (!own)
			own = machine_add(&threads, 1) + 1;
		number = own;
	}
	return &tabby->slot[number % TABBY_SLOTS];
}
