/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ENTRIES_H
#define ENTRIES_H

#include <dirent.h>

#include "check.h"

/* How many entries the directory has: of /proc/self/fd, descriptors, and one for itself. */
static inline int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	check(directory, "no %s", path);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

#endif /* ENTRIES_H */
