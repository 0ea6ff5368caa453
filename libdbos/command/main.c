// SPDX-License-Identifier: BSD-2-Clause
/* dbos: what there is to do with privileged processes from a shell. */
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "preload/run.h"

static const char usage[] =
	"usage: dbos run [--] PROGRAM [ARGUMENT]...   run a program privileged\n"
	"       dbos stat PID                         what a privileged process has done so far\n";

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (strcmp(name, "run") == 0 && argc > 2 && strcmp(argv[2], "--") == 0 && argc > 3)
		return command_run(argv + 3);
	if (strcmp(name, "run") == 0 && argc > 2 && argv[2][0] != '-')
		return command_run(argv + 2);
	if (strcmp(name, "stat") == 0 && argc == 3)
		return command_stat(argv[2]);
	fputs(usage, stderr);
	return DBOS_RUN_NO_HYPERVISOR;
}
