// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "hv/descriptors.h"

/*
 * Below the 1024 that a process may have by default, and above what most programs reach. Where even
 * this is more than the limit, or all of it is taken, they stay where they are.
 */
#define FIRST	768
/* Those with higher numbers are not spared. */
#define NUMBERS 4096
#define BITS	64

static uint64_t ours[NUMBERS / BITS];

static void note(int fd, bool is_ours)
{
	uint64_t bit = 1ull << fd % BITS;

	if (fd >= NUMBERS)
		return;
	if (is_ours)
		__atomic_fetch_or(&ours[fd / BITS], bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&ours[fd / BITS], ~bit, __ATOMIC_SEQ_CST);
}

int descriptor_claim(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
	if (high >= 0) {
		close(fd);
		fd = high;
	} else {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	note(fd, true);
	return fd;
}

void descriptor_close(int fd)
{
	if (fd < 0)
		return;
	note(fd, false);
	close(fd);
}

void descriptors_close_all(void)
{
	long fd;

	while ((fd = descriptor_next(0)) >= 0)
		descriptor_close(fd);
}

long descriptor_next(unsigned int fd)
{
	for (; fd < NUMBERS; fd = (fd / BITS + 1) * BITS) {
		uint64_t word = __atomic_load_n(&ours[fd / BITS], __ATOMIC_SEQ_CST) >> fd % BITS;

		if (word)
			return fd + __builtin_ctzll(word);
	}
	return -1;
}
