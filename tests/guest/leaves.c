// SPDX-License-Identifier: BSD-2-Clause
/*
 * leaves: the second-level table follows the process's in leaf size, rights and dirtiness. The
 * module's own counters say what it has mapped. Each step prints its name; the last line is
 * "leaves: ok".
 */
#include <stdint.h>
#include <sys/mman.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "device.h"

#define MIB  (1ul << 20)
#define HUGE (2 * MIB)
#define PAGE DBOS_PAGE_SIZE

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static volatile int faults, fetches;

/* Steps over the two-byte store that faulted, or returns from the function that may not run. */
static enum dbos_verdict skip(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)arg;
	faults++;
	if (fec & DBOS_FEC_FETCH && tf->rip == va) {
		fetches++;
		tf->rip = *(uint64_t *)tf->rsp;
		tf->rsp += 8;
	} else {
		tf->rip += 2;
	}
	return DBOS_HANDLED;
}

static int write_faults(volatile char *p)
{
	int before = faults;

	__asm__ volatile("movb %%al, (%%rdi)" : : "D"(p), "a"(1) : "memory");
	return faults - before;
}

static int read_faults(volatile char *p)
{
	int before = faults;

	__asm__ volatile("movb (%%rdi), %%al" : : "D"(p) : "rax", "memory");
	return faults - before;
}

/* @size bytes at a multiple of 2 MiB. */
static volatile char *map_aligned(size_t size)
{
	char *p = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	check(p != MAP_FAILED, "mmap");
	return (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);
}

/* Every huge page has the same pattern. */
static char pattern(size_t i)
{
	return 1 + i % HUGE / PAGE % 100;
}

static void touch(volatile char *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = pattern(i);
}

static void untouched_but(volatile char *p, size_t size, size_t skipped)
{
	for (size_t i = 0; i < size; i += PAGE)
		check(i == skipped * PAGE || p[i] == pattern(i), "page %zu lost its data",
		      i / PAGE);
}

static void huge_pages(void)
{
	volatile char *p = map_aligned(4 * HUGE);
	struct dune_stats before, now;

	check(madvise((void *)p, 4 * HUGE, MADV_HUGEPAGE) == 0, "MADV_HUGEPAGE");
	before = device_stats();
	touch(p, 4 * HUGE);
	now = device_stats();
	check(now.leaves[1] >= before.leaves[1] + 4, "4 huge pages gave %llu leaves of 2 MiB",
	      now.leaves[1] - before.leaves[1]);
	check(now.leaves[0] < before.leaves[0] + 64, "and %llu of 4 KiB",
	      now.leaves[0] - before.leaves[0]);
	printf("huge: ok\n");

	/* One page of the second huge page loses a right: the leaf goes, its neighbours stay. */
	check(mprotect((void *)(p + HUGE + PAGE), PAGE, PROT_READ) == 0, "mprotect");
	check(write_faults(p + HUGE + PAGE) == 1, "a write went through the old huge leaf");
	check(read_faults(p + HUGE + PAGE) == 0 && write_faults(p + HUGE) == 0, "split");
	before = now;
	now = device_stats();
	check(now.leaves[1] == before.leaves[1] - 1, "%llu leaves of 2 MiB after a split, not %llu",
	      now.leaves[1], before.leaves[1] - 1);
	untouched_but(p + HUGE, HUGE, 1);
	printf("split: ok\n");

	check(mprotect((void *)(p + HUGE), HUGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
	touch(p + HUGE, HUGE);
	check(madvise((void *)(p + HUGE), HUGE, MADV_COLLAPSE) == 0, "MADV_COLLAPSE");
	untouched_but(p + HUGE, HUGE, 1);
	now = device_stats();
	check(now.leaves[1] == before.leaves[1], "%llu leaves of 2 MiB after a collapse, not %llu",
	      now.leaves[1], before.leaves[1]);
	printf("collapse: ok\n");

	before = now;
	check(munmap((void *)p, 4 * HUGE) == 0, "munmap");
	now = device_stats();
	check(now.leaves[1] == before.leaves[1] - 4, "leaves of unmapped memory");
	check(read_faults(p) == 1 && read_faults(p + 3 * HUGE) == 1, "unmapped memory can be read");
	printf("unmapped: ok\n");
}

static bool reserve_hugetlb(const char *path, int count)
{
	FILE *file = fopen(path, "r+e");
	int got = 0;

	if (!file)
		return false;
	fprintf(file, "%d\n", count);
	fflush(file);
	rewind(file);
	if (fscanf(file, "%d", &got) != 1)
		got = 0;
	fclose(file);
	return got >= count;
}

/*
 * With this erratum of Intel's the module has 4 KiB leaves only (kern/vmx/ept.c); every other CPU
 * is "Not affected".
 */
static bool has_itlb_multihit(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/vulnerabilities/itlb_multihit", "re");
	char line[64] = "";

	if (!file)
		return false;
	check(fgets(line, sizeof(line), file), "itlb_multihit");
	fclose(file);
	return strncmp(line, "Not affected", strlen("Not affected")) != 0;
}

static void small_leaves(void)
{
	volatile char *p = map_aligned(4 * HUGE);
	struct dune_stats before = device_stats(), now;

	check(madvise((void *)p, 4 * HUGE, MADV_HUGEPAGE) == 0, "MADV_HUGEPAGE");
	touch(p, 4 * HUGE);
	now = device_stats();
	check(now.leaves[1] == 0 && now.leaves[0] >= before.leaves[0] + 4 * HUGE / PAGE,
	      "4 huge pages are %llu leaves of 2 MiB, %llu of 4 KiB", now.leaves[1],
	      now.leaves[0] - before.leaves[0]);
	check(mprotect((void *)(p + HUGE + PAGE), PAGE, PROT_READ) == 0, "mprotect");
	check(write_faults(p + HUGE + PAGE) == 1 && write_faults(p + HUGE) == 0, "rights");
	untouched_but(p, 4 * HUGE, HUGE / PAGE);
	printf("small: ok\n");
}

/*
 * Two pages side by side, each a mapping of its own: Linux 6.1 warns when it splits one of
 * hugetlbfs (hugetlb_split() wants a lock that __vma_adjust() takes later).
 */
static char *map_two_hugetlb(size_t size, int shift)
{
	int huge = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | shift << MAP_HUGE_SHIFT;
	char *free = mmap(NULL, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);
	char *p = (char *)(((uintptr_t)free + size - 1) & -size);

	check(free != MAP_FAILED, "no room for 3 pages of %zu MiB", size / MIB);
	for (int i = 0; i < 2; i++)
		check(mmap(p + i * size, size, PROT_READ | PROT_WRITE, huge | MAP_FIXED, -1, 0) ==
		      p + i * size, "mmap of a page of %zu MiB", size / MIB);
	return p;
}

static void hugetlb(unsigned int level, int shift, const char *pool)
{
	size_t size = 1ul << shift;
	struct dune_stats before;
	volatile char *p;

	if (!reserve_hugetlb(pool, 2)) {
		printf("hugetlb %zu MiB: skipped, the host has no 2 pages of that size\n",
		       size / MIB);
		return;
	}
	p = map_two_hugetlb(size, shift);
	before = device_stats();
	for (size_t i = 0; i < 2 * size; i += size / 64)
		p[i] = i / (size / 64);
	check(device_stats().leaves[level - 1] == before.leaves[level - 1] + 2,
	      "two pages of %zu MiB are %llu leaves of that size", size / MIB,
	      device_stats().leaves[level - 1] - before.leaves[level - 1]);
	check(mprotect((void *)p, size, PROT_READ) == 0, "mprotect");
	check(write_faults(p) == 1 && write_faults(p + size) == 0, "rights of hugetlb pages");
	check(munmap((void *)p, 2 * size) == 0, "munmap");
	check(read_faults(p) == 1, "unmapped hugetlb memory can be read");
	reserve_hugetlb(pool, 0);
	printf("hugetlb %zu MiB: ok\n", size / MIB);
}

static void execution(void)
{
	volatile unsigned char *p = (volatile unsigned char *)map_aligned(PAGE);

	p[0] = 0xc3;	/* ret */
	((void (*)(void))p)();
	check(fetches == 1, "data can be executed");
	check(mprotect((void *)p, PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
	((void (*)(void))p)();
	check(fetches == 1, "code can't be executed");
	check(mprotect((void *)p, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
	((void (*)(void))p)();
	check(fetches == 2, "code made data can still be executed");
	printf("execution: ok\n");
}

#define FILE_PAGES 16

static int make_file(void)
{
	char page[PAGE];
	int fd = memfd_create("leaves", MFD_CLOEXEC);

	check(fd >= 0, "memfd_create");
	for (int i = 0; i < FILE_PAGES; i++) {
		memset(page, 'a' + i, sizeof(page));
		check(pwrite(fd, page, sizeof(page), i * PAGE) == PAGE, "pwrite");
	}
	return fd;
}

/* Leaves that were only read say nothing of dirt, leaves that were written do. */
static void dirt(void)
{
	int fd = make_file();

	for (int written = 0; written < 2; written++) {
		volatile char *p = mmap(NULL, FILE_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
					fd, 0);
		uint64_t before, dirtied;

		check(p != MAP_FAILED, "mmap");
		for (int i = 0; i < FILE_PAGES; i++)
			check(p[i * PAGE] == 'a' + i, "page %d has %d", i, p[i * PAGE]);
		for (int i = 0; written && i < FILE_PAGES; i++)
			p[i * PAGE + 1] = 'X';
		before = device_stats().dirtied;
		check(munmap((void *)p, FILE_PAGES * PAGE) == 0, "munmap");
		dirtied = device_stats().dirtied - before;
		check(written ? dirtied >= FILE_PAGES : dirtied < FILE_PAGES,
		      "%lu dirty leaves after %s", dirtied, written ? "writing" : "reading");
	}
	close(fd);
	printf("dirt: ok\n");
}

static void files(void)
{
	int fd = make_file();
	volatile char *shared = mmap(NULL, FILE_PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	volatile char *private = mmap(NULL, FILE_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				      fd, 0);
	char byte;

	check(shared != MAP_FAILED && private != MAP_FAILED, "mmap");
	check(shared[PAGE] == 'b' && private[PAGE] == 'b', "file data");
	check(write_faults(shared + PAGE) == 1, "a read-only file mapping was written");
	private[PAGE] = 'P';
	check(shared[PAGE] == 'b', "a private page is in the file");
	check(pread(fd, &byte, 1, PAGE) == 1 && byte == 'b', "a private page is in the file");
	check(pwrite(fd, "12", 2, 2 * PAGE - 1) == 2, "pwrite");
	check(shared[2 * PAGE] == '2' && private[2 * PAGE] == '2', "the file's change is not seen");
	check(private[2 * PAGE - 1] == 'b', "the file's change is in a private page");
	check(ftruncate(fd, PAGE) == 0, "ftruncate");
	check(read_faults(shared + 2 * PAGE) == 1, "the file's end can be read past");
	check(read_faults(shared) == 0, "the file can't be read");
	close(fd);
	printf("files: ok\n");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	check_ok(dbos_init());
	check_ok(dbos_enter());
	check_ok(dbos_on_fault(dbos_instance(), 0, UINTPTR_MAX, skip, NULL));
	if (has_itlb_multihit()) {
		small_leaves();
	} else {
		huge_pages();
		hugetlb(2, 21, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
		hugetlb(3, 30, "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages");
	}
	execution();
	dirt();
	files();
	check_ok(dbos_leave());
	printf("leaves: ok\n");
	return 0;
}
