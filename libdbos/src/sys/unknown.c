// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dbos/syscall.h>

#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "sys/unknown.h"

#define DIGITS_MAX 20

/* Without libc, whose stdio may be what the guest is in the middle of. */
static void report(uint64_t number)
{
	static const char before[] = "dbos: unknown system call ";
	static const char after[] = ", passed to the host\n";
	char line[sizeof(before) + DIGITS_MAX + sizeof(after)], digits[DIGITS_MAX];
	size_t length = 0, count = 0;

	for (size_t i = 0; before[i]; i++)
		line[length++] = before[i];
	do {
		digits[count++] = '0' + number % 10;
		number /= 10;
	} while (number);
	while (count)
		line[length++] = digits[--count];
	for (size_t i = 0; after[i]; i++)
		line[length++] = after[i];
	host_syscall(SYS_write, STDERR_FILENO, (long)line, length, 0, 0, 0);
}

void unknown_note(struct unknown_calls *unknown, uint64_t number)
{
	for (size_t i = 0; i < UNKNOWN_MAX; i++) {
		uint64_t there = 0;
		bool first = __atomic_compare_exchange_n(&unknown->slot[i].number, &there,
							 number + 1, false, __ATOMIC_RELAXED,
							 __ATOMIC_RELAXED);

		if (!first && there != number + 1)
			continue;
		__atomic_fetch_add(&unknown->slot[i].count, 1, __ATOMIC_RELAXED);
		if (first && unknown->trace)
			report(number);
		return;
	}
}

size_t dbos_unknown_syscalls(const struct dbos *dbos, struct dbos_unknown_syscall *calls,
			     size_t max)
{
	size_t count;

	for (count = 0; dbos && count < UNKNOWN_MAX; count++) {
		const uint64_t *number = &dbos->unknown.slot[count].number;
		uint64_t there = __atomic_load_n(number, __ATOMIC_RELAXED);

		if (!there)
			break;
		if (count < max)
			calls[count] = (struct dbos_unknown_syscall){
				there - 1,
				__atomic_load_n(&dbos->unknown.slot[count].count, __ATOMIC_RELAXED),
			};
	}
	return count;
}
