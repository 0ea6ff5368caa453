/* SPDX-License-Identifier: BSD-2-Clause */
/* The program to run: where it is, and whether the dynamic linker will preload into it. */
#ifndef DBOS_PROGRAM_H
#define DBOS_PROGRAM_H

#include <limits.h>

/*
 * Finds @name as execvp() would, and looks at the file, or, if it is a script, at its interpreter.
 * 0, or the status to end with, and why it can't be run privileged in words.
 */
struct program {
	char path[PATH_MAX];
	char why[PATH_MAX + 128];
};

int program_find(const char *name, struct program *program);

#endif /* DBOS_PROGRAM_H */
