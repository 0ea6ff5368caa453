// SPDX-License-Identifier: BSD-2-Clause
/* fill_memory: take memory, page by page, until the kernel ends it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
	const size_t step = (size_t)1 << 20;

	for (;;) {
		char *memory = malloc(step);

		if (!memory) {
			perror("malloc");
			return 1;
		}
		memset(memory, 0x5a, step);
	}
}
