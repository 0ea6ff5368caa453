// SPDX-License-Identifier: BSD-2-Clause
/*
 * dbos run: executes the program with libdbos-run.so preloaded. All that can be known to go wrong
 * is found out before, while there is somebody to say it.
 */
#include <cpuid.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dbos/dbos.h>

#include "command/command.h"
#include "command/program.h"
#include "preload/run.h"

static const char *kvm_module(void)
{
	unsigned int eax, ebx, ecx, edx;

	__cpuid(0, eax, ebx, ecx, edx);
	return ebx == signature_AMD_ebx ? "kvm_amd" : "kvm_intel";
}

/* Why no backend could be had, and what to type next. */
static int no_hypervisor(int error)
{
	struct dbos_caps caps;

	fputs("dbos: no hypervisor can be used", stderr);
	dbos_caps(NULL, &caps);
	for (size_t i = 0; i < caps.refused_count; i++)
		fprintf(stderr, "%s%s: %s", i ? ", " : ": ", caps.refused[i].backend,
			caps.refused[i].why);
	if (caps.refused_count == 0)
		fprintf(stderr, ": %s", strerror(-error));
	fputs(".\n", stderr);
	switch (-error) {
	case ENOENT:
		fprintf(stderr, "dbos: as root: modprobe dune || modprobe %s\n", kvm_module());
		break;
	case EACCES:
		fputs("dbos: as root: usermod -aG dune,kvm USER\n", stderr);
		break;
	case EINVAL:
		fputs("dbos: unset DBOS_BACKEND\n", stderr);
		break;
	default:
		fputs("dbos: dmesg | grep -e dune -e kvm\n", stderr);
	}
	return DBOS_RUN_NO_HYPERVISOR;
}

/* Beside us, where both are built; or where both are installed, moved as a whole or not. */
static int find_library(char path[PATH_MAX])
{
	char here[PATH_MAX - 64];
	ssize_t length = readlink("/proc/self/exe", here, sizeof(here) - 1);
	char *slash;

	if (length < 0)
		return -errno;
	here[length] = '\0';
	slash = strrchr(here, '/');
	*slash = '\0';
	snprintf(path, PATH_MAX, "%s/" DBOS_RUN_LIBRARY, here);
	if (access(path, R_OK) < 0)
		snprintf(path, PATH_MAX, "%s/../lib/" DBOS_RUN_LIBRARY, here);
	if (access(path, R_OK) < 0)
		snprintf(path, PATH_MAX, DBOS_RUNDIR "/" DBOS_RUN_LIBRARY);
	if (access(path, R_OK) < 0)
		return -errno;
	/* Both end a name in LD_PRELOAD. */
	return strpbrk(path, " :") ? -EINVAL : 0;
}

/* In front of what is to be preloaded anyway. */
static int set_environment(const char *library)
{
	const char *others = getenv("LD_PRELOAD");
	char *preload;
	char pid[16];

	if (asprintf(&preload, "%s%s%s", library, others && others[0] ? ":" : "",
		     others ? others : "") < 0)
		return -ENOMEM;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (setenv("LD_PRELOAD", preload, 1) < 0 || setenv(DBOS_RUN_VARIABLE, pid, 1) < 0)
		return -errno;
	free(preload);
	return 0;
}

int command_run(char **argv)
{
	struct program program;
	char library[PATH_MAX];
	int ret = program_find(argv[0], &program);

	if (ret) {
		fprintf(stderr, "dbos: %s\n", program.why);
		return ret;
	}
	ret = find_library(library);
	if (!ret)
		ret = set_environment(library);
	if (ret) {
		fprintf(stderr, "dbos: %s: %s\n", DBOS_RUN_LIBRARY, strerror(-ret));
		return DBOS_RUN_NO_HYPERVISOR;
	}
	/* Ends with the exec; the program makes another one. */
	ret = dbos_init();
	if (ret)
		return no_hypervisor(ret);
	execv(program.path, argv);
	fprintf(stderr, "dbos: %s: %s\n", program.path, strerror(errno));
	return errno == ENOENT ? DBOS_RUN_NOT_FOUND : DBOS_RUN_NOT_EXECUTABLE;
}
