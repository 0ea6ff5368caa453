// SPDX-License-Identifier: BSD-2-Clause
#include "tabby/tabby.h"

void tabby_begin_alone(struct tabby *tabby)
{
	uint64_t nobody = 0;

	while (!machine_cas(&tabby->alone, &nobody, 1)) {
		nobody = 0;
		machine_pause();
	}
}

void tabby_end_alone(struct tabby *tabby)
{
	machine_store(&tabby->alone, 0);
}
