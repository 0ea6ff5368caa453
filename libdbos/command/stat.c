// SPDX-License-Identifier: BSD-2-Clause
/* dbos stat: finds a process's counters among its mappings, and reads them while it runs. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dbos/stat.h>

#include "command/command.h"
#include "command/stat_items.h"

enum { GONE = 1, NOT_PRIVILEGED, NOT_YOURS, OTHER_VERSION };

static int refuse(int status, const char *pid, const char *what)
{
	fprintf(stderr, "dbos: process %s %s\n", pid, what);
	return status;
}

/* Why a file of the process could not be opened or read. */
static int refuse_errno(const char *pid)
{
	if (errno == ENOENT || errno == ESRCH)
		return refuse(GONE, pid, "does not exist");
	return refuse(NOT_YOURS, pid, strerror(errno));
}

static FILE *open_in_proc(const char *pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	return fopen(path, "re");
}

/* Its number in its own namespace: the last of the line. 0: gone. */
static uint32_t own_pid(const char *pid)
{
	FILE *status = open_in_proc(pid, "status");
	unsigned long number = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "NSpid:", 6) == 0)
			number = strtoul(strrchr(line, '\t'), NULL, 10);
	if (status)
		fclose(status);
	return number;
}

/* The mapping's header at @address is this process's own, not one it was forked with. */
static bool is_own(int memory, uint64_t address, uint32_t pid)
{
	struct dbos_stat stat;
	const size_t header = offsetof(struct dbos_stat, vcpu);

	return pread(memory, &stat, header, address) == (ssize_t)header &&
	       stat.magic == DBOS_STAT_MAGIC && stat.pid == pid;
}

static uint64_t find(FILE *maps, int memory, uint32_t pid)
{
	uint64_t address;
	char line[512];

	while (fgets(line, sizeof(line), maps))
		if (strstr(line, DBOS_STAT_MAPPING) && sscanf(line, "%" SCNx64, &address) == 1 &&
		    is_own(memory, address, pid))
			return address;
	return 0;
}

static void print_number(uint64_t number)
{
	if (number == DBOS_STAT_UNKNOWN)
		printf(" %12s", "-");
	else
		printf(" %12" PRIu64, number);
}

static void print_line(const char *name, const struct dbos_stat_vcpu *vcpu)
{
	printf("%4s", name);
	if (vcpu->tid)
		printf(" %8" PRIu64, vcpu->tid);
	else
		printf(" %8s", "-");
	print_number(vcpu->exits);
	print_number(vcpu->faults);
	print_number(vcpu->syscalls);
	print_number(vcpu->flushed_pages);
	print_number(vcpu->flushes);
	print_number(vcpu->interrupts);
	print_number(vcpu->frames);
	putchar('\n');
}

static void add(struct dbos_stat_vcpu *sum, const struct dbos_stat_vcpu *vcpu)
{
	sum->exits += vcpu->exits;
	if (vcpu->faults == DBOS_STAT_UNKNOWN || sum->faults == DBOS_STAT_UNKNOWN)
		sum->faults = DBOS_STAT_UNKNOWN;
	else
		sum->faults += vcpu->faults;
	sum->syscalls += vcpu->syscalls;
	sum->flushed_pages += vcpu->flushed_pages;
	sum->flushes += vcpu->flushes;
	sum->interrupts += vcpu->interrupts;
	sum->frames += vcpu->frames;
}

static void print(const struct dbos_stat *stat)
{
	struct dbos_stat_vcpu sum = { 0 };
	char name[8];

	printf("backend %.*s\n", (int)sizeof(stat->backend), stat->backend);
	printf("%4s %8s %12s %12s %12s %12s %12s %12s %12s\n", "vCPU", "thread", "exits", "faults",
	       "syscalls", "flushed", "all-flushes", "interrupts", "frames");
	for (unsigned int i = 0; i < DBOS_STAT_VCPUS; i++) {
		const struct dbos_stat_vcpu *vcpu = &stat->vcpu[i];

		if (!vcpu->tid && !vcpu->exits)
			continue;
		snprintf(name, sizeof(name), "%u", i);
		print_line(name, vcpu);
		add(&sum, vcpu);
	}
	print_line("sum", &sum);
}

static int read_and_print(const char *pid, FILE *maps, int memory)
{
	static struct dbos_stat stat;
	uint64_t address = find(maps, memory, own_pid(pid));

	if (!address)
		return own_pid(pid) ? refuse(NOT_PRIVILEGED, pid, "is not privileged") :
				      refuse(GONE, pid, "does not exist");
	if (pread(memory, &stat, sizeof(stat), address) != sizeof(stat))
		return refuse(GONE, pid, "has just ended");
	if (stat.version != DBOS_STAT_VERSION)
		return refuse(OTHER_VERSION, pid, "is run by another version of libdbos");
	print(&stat);
	print_items(memory, &stat);
	return 0;
}

int command_stat(const char *pid)
{
	FILE *maps, *memory;
	int ret;

	if (!*pid || pid[strspn(pid, "0123456789")])
		return refuse(GONE, pid, "does not exist");
	maps = open_in_proc(pid, "maps");
	memory = open_in_proc(pid, "mem");
	if (maps && memory)
		ret = read_and_print(pid, maps, fileno(memory));
	else
		ret = refuse_errno(pid);
	if (memory)
		fclose(memory);
	if (maps)
		fclose(maps);
	return ret;
}
