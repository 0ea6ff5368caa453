// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "sys/nested.h"

/* One string of a program's arguments at most (MAX_ARG_STRLEN), and as many as anyone has. */
#define STRING_MAX  131072
#define STRINGS_MAX 65536

long nested_strings(const struct guest_memory *memory, uint64_t va)
{
	for (unsigned int i = 0; i < STRINGS_MAX; i++, va += sizeof(uint64_t)) {
		uint64_t string;
		long length;

		if (!guest_plain(memory, va, sizeof(string), false) ||
		    guest_read(memory, va, &string, sizeof(string)) < 0)
			return -EFAULT;
		if (!string)
			return 0;
		length = guest_string(memory, string, STRING_MAX);
		if (length < 0 || !guest_plain(memory, string, length, false))
			return -EFAULT;
	}
	return -E2BIG;
}
