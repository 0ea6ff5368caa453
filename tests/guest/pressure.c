// SPDX-License-Identifier: BSD-2-Clause
/*
 * pressure CGROUP: second-level tables are charged to the process's memory cgroup, and are given
 * back when the kernel, or the cgroup's limit, is short of memory. Puts itself into CGROUP. Many
 * slots show the same gigabyte, so that the tables are far larger than those of the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "device.h"

#define GIB	    (1ull << 30)
#define TABLE_SPAN  (2ull << 20)	/* what one table of 4 KiB leaves covers */
#define FIRST_SLOT  8
#define LAST_SLOT   31
#define ALIASES	    (LAST_SLOT - FIRST_SLOT + 1)
#define ALL_TABLES  (ALIASES * (GIB / TABLE_SPAN))

static const char *cgroup;

static int open_in_cgroup(const char *name, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	fd = open(path, flags | O_CLOEXEC);
	check(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

static void set(const char *name, uint64_t value)
{
	int fd = open_in_cgroup(name, O_WRONLY);

	check(dprintf(fd, "%lu", value) > 0, "%s", name);
	close(fd);
}

static uint64_t get(const char *name)
{
	char text[32] = "";
	int fd = open_in_cgroup(name, O_RDONLY);

	check(read(fd, text, sizeof(text) - 1) > 0, "%s", name);
	close(fd);
	return strtoull(text, NULL, 10);
}

static uint64_t free_gpa(void)
{
	struct dbos_caps caps;

	check_ok(dbos_caps(dbos_instance(), &caps));
	return (1ull << caps.gpa_bits) - ALIASES * GIB;
}

static void make_slots(void)
{
	char *p = mmap(NULL, GIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(p != MAP_FAILED && madvise(p, GIB, MADV_NOHUGEPAGE) == 0, "mmap");
	for (uint32_t i = 0; i < ALIASES; i++) {
		struct dune_slot slot = {
			.slot = FIRST_SLOT + i,
			.gpa = free_gpa() + i * GIB,
			.size = GIB,
			.hva = (uintptr_t)p,
		};

		check(ioctl(device_fd(), DUNE_SET_SLOT, &slot) == 0, "DUNE_SET_SLOT");
	}
}

/* Reads one page of every table's span, by one entry of our own table that is moved along. */
static void read_everywhere(void)
{
	volatile char *view = mmap(NULL, DBOS_PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	volatile dbos_pte_t *pte;

	check(view != MAP_FAILED, "mmap");
	check_ok(dbos_pte(dbos_instance(), (void *)view, &pte));
	for (uint64_t i = 0; i < ALL_TABLES; i++) {
		*pte = (free_gpa() + i * TABLE_SPAN) | DBOS_PTE_P;
		dbos_invlpg((void *)view);
		check(*view == 0, "page %lu of zeroes has %d", i, *view);
	}
}

static void tables_are_charged(void)
{
	uint64_t charged = get("memory.current"), tables = device_stats().tables;

	read_everywhere();
	charged = get("memory.current") - charged;
	tables = device_stats().tables - tables;
	check(tables >= ALL_TABLES, "%lu tables, not %llu", tables, ALL_TABLES);
	check(charged >= tables * DBOS_PAGE_SIZE * 9 / 10, "%lu tables, %lu bytes charged", tables,
	      charged);
	printf("charged: ok, %lu tables, %lu KiB\n", tables, charged >> 10);
}

static void kernel_takes_them(void)
{
	struct dune_stats before = device_stats(), after;
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	check(fd >= 0 && write(fd, "2", 1) == 1, "drop_caches");
	close(fd);
	after = device_stats();
	check(after.reclaimed >= before.reclaimed + ALL_TABLES / 2 &&
	      after.tables <= before.tables / 2, "%llu tables before, %llu after, %llu reclaimed",
	      before.tables, after.tables, after.reclaimed);
	printf("shrunk: ok, from %llu tables to %llu\n", before.tables, after.tables);
}

static void limit_is_kept(void)
{
	uint64_t limit = get("memory.current") + (16 << 20), reclaimed = device_stats().reclaimed;

	int max = open_in_cgroup("memory.max", O_WRONLY);

	check(limit < ALL_TABLES * DBOS_PAGE_SIZE, "the limit of %lu is none", limit);
	check(dprintf(max, "%lu", limit) > 0, "memory.max");
	read_everywhere();
	/*
	 * Full of tables by now, and they give way only to one another: whatever else is charged,
	 * such as the path of a file, would call the OOM killer.
	 */
	check(pwrite(max, "max", 3, 0) == 3, "memory.max");
	close(max);
	reclaimed = device_stats().reclaimed - reclaimed;
	check(reclaimed > 0, "the limit was never reached");
	printf("limit: ok, %lu KiB, %lu tables reclaimed\n", limit >> 10, reclaimed);
}

int main(int argc, char **argv)
{
	check(argc == 2, "usage: pressure CGROUP");
	setvbuf(stdout, NULL, _IOLBF, 0);
	cgroup = argv[1];
	set("cgroup.procs", getpid());
	check_ok(dbos_init());
	check_ok(dbos_enter());
	make_slots();
	tables_are_charged();
	kernel_takes_them();
	limit_is_kept();
	check_ok(dbos_leave());
	printf("pressure: ok\n");
	return 0;
}
