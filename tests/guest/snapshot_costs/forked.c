// SPDX-License-Identifier: BSD-2-Clause
/* A child of fork() has the memory as it was, and only looks at it when it is told to. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "costs.h"

static struct child {
	pid_t pid;
	int orders, sums;
} child;

static void obey(int orders, int sums)
{
	uint64_t sum;
	char order;

	while (read(orders, &order, 1) == 1) {
		sum = sum_up();
		if (write(sums, &sum, sizeof(sum)) != sizeof(sum))
			_exit(1);
	}
	_exit(0);
}

static void take(const struct method *method)
{
	int orders[2], sums[2];

	(void)method;
	check(pipe(orders) == 0 && pipe(sums) == 0, "pipe");
	child.pid = fork();
	if (child.pid == 0) {
		close(orders[1]);
		obey(orders[0], sums[1]);
	}
	check(child.pid > 0, "fork");
	close(orders[0]);
	close(sums[1]);
	child.orders = orders[1];
	child.sums = sums[0];
}

static void drop(void)
{
	int status;

	close(child.orders);
	close(child.sums);
	check(waitpid(child.pid, &status, 0) == child.pid && status == 0, "the child failed");
}

static uint64_t scan(void)
{
	uint64_t sum;

	check(write(child.orders, "", 1) == 1, "write");
	check(read(child.sums, &sum, sizeof(sum)) == sizeof(sum), "no sum");
	return sum;
}

/* KiB, from a file of the child's. */
static uint64_t read_field(const char *name, const char *format)
{
	char path[64], line[256];
	uint64_t kib = 0, found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", child.pid, name);
	file = fopen(path, "re");
	check(file, "no %s", path);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, format, &kib) == 1;
	fclose(file);
	check(found, "no %s in %s", format, path);
	return kib;
}

/* A page that nobody else has is one that its parent has copied, or it has itself. */
static void weigh(struct weight *weight)
{
	weight->tables = read_field("status", "VmPTE: %lu") / 4;
	weight->pages = (read_field("smaps_rollup", "Private_Dirty: %lu") +
			 read_field("smaps_rollup", "Private_Clean: %lu")) / 4;
}

static void map_memory(int advice)
{
	char *mapped = mmap(NULL, size + RANGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(mapped != MAP_FAILED, "no memory");
	memory = mapped + (-(uintptr_t)mapped & (RANGE - 1));
	check(madvise((void *)memory, size, advice) == 0, "madvise");
	fill();
}

static void begin_native(void)
{
	map_memory(MADV_NOHUGEPAGE);
}

static void begin_huge(void)
{
	map_memory(MADV_HUGEPAGE);
}

static void nothing(void)
{
}

static struct method native_methods[3] = {
	{ .name = "fork", .take = take, .drop = drop, .scan = scan, .weigh = weigh },
};

static void begin_all_native(void)
{
	native_methods[1] = protect_method;
	native_methods[2] = userfault_method;
	begin_native();
}

static const struct method huge_method = {
	.name = "fork-huge", .take = take, .drop = drop, .scan = scan, .weigh = weigh,
};

const struct place native = { "native", begin_all_native, nothing, nothing, nothing,
			      native_methods, 3 };
const struct place huge = { "huge", begin_huge, nothing, nothing, nothing, &huge_method, 1 };
