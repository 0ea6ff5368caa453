/* SPDX-License-Identifier: BSD-2-Clause */
/* The module behind libdbos's back, for tests of the module: its descriptor and its counters. */
#ifndef DEVICE_H
#define DEVICE_H

#include <sys/ioctl.h>
#include <unistd.h>

#include <uapi/dune.h>

#include "check.h"

/* The descriptor that libdbos has open; the VM is bound to it. */
static inline int device_fd(void)
{
	char path[64], target[64];

	for (int fd = 3; fd < 1024; fd++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length > 0) {
			target[length] = '\0';
			if (strcmp(target, "/dev/dune") == 0)
				return fd;
		}
	}
	check(false, "no descriptor of /dev/dune is open");
	return -1;
}

static inline struct dune_stats device_stats(void)
{
	struct dune_stats stats;

	check(ioctl(device_fd(), DUNE_GET_STATS, &stats) == 0, "DUNE_GET_STATS");
	return stats;
}

#endif /* DEVICE_H */
