// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the host does to memory that guests are using. Where an operation takes memory or a right
 * away, it then proves that no guest still has it: the old page is poisoned, by another address of
 * it, and watched for writes; a guest that reads poison says so itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"
#include "torture.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define FILES	(IN(SHARED) | IN(HUGETLB))
#define PRIVATE (IN(ANON) | IN(MERGED) | IN(THP))
#define SMALL	(IN(ANON) | IN(MERGED) | IN(SHARED))

static uint64_t seen[MAX_PAGES * WORDS];

static void some_time(struct torture *torture)
{
	usleep(200 + next_random(&torture->random) % 1500);
}

static char *in_file(const struct region *region)
{
	return region->alias + region->offset;
}

static void protect(struct region *region, int protection)
{
	check(mprotect(region->base, region->size, protection) == 0, "mprotect: %s",
	      strerror(errno));
}

/* @memory is the region's, at an address of the host's own, and no guest may reach it. */
static void poison_and_watch(struct torture *torture, struct region *region, char *memory,
			     const char *name)
{
	long page;

	words_copy(seen, memory, region->size);
	words_poison(memory, region->size);
	some_time(torture);
	page = words_unpoisoned(memory, region->size);
	check(page < 0, "stale write: after %s, to page %ld of region %d", name, page,
	      region->kind);
	words_restore(memory, seen, region->size);
}

static void watch(struct torture *torture, struct region *region, const char *name)
{
	long page;

	words_copy(seen, region->base, region->size);
	some_time(torture);
	page = words_changed(region->base, seen, region->size);
	check(page < 0, "stale write: after %s, to page %ld of region %d", name, page,
	      region->kind);
}

static void read_only(struct torture *torture, struct region *region)
{
	protect(region, PROT_READ);
	watch(torture, region, "mprotect");
	protect(region, PROT_READ | PROT_WRITE);
}

static void no_access(struct torture *torture, struct region *region)
{
	protect(region, PROT_NONE);
	poison_and_watch(torture, region, in_file(region), "PROT_NONE");
	protect(region, PROT_READ | PROT_WRITE);
}

static void map_file(struct region *region)
{
	check(mmap(region->base, region->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   region->file, region->offset) == region->base, "mmap: %s", strerror(errno));
}

static void unmap(struct torture *torture, struct region *region)
{
	check(munmap(region->base, region->size) == 0, "munmap");
	poison_and_watch(torture, region, in_file(region), "munmap");
	map_file(region);
}

/* Other memory with the same words takes the region's place, in one system call. */
static void replace(struct torture *torture, struct region *region)
{
	char *old = in_file(region);

	protect(region, PROT_READ);
	words_copy(seen, old, region->size);
	region->offset ^= region->size;
	words_restore(in_file(region), seen, region->size);
	map_file(region);
	poison_and_watch(torture, region, old, "a mapping over it");
	words_poison(old, region->size);
}

static void move(struct torture *torture, struct region *region)
{
	check(mremap(region->base, region->size, region->size, MREMAP_MAYMOVE | MREMAP_FIXED,
		     region->shadow) == region->shadow, "mremap: %s", strerror(errno));
	poison_and_watch(torture, region, region->shadow, "mremap");
	check(mremap(region->shadow, region->size, region->size, MREMAP_MAYMOVE | MREMAP_FIXED,
		     region->base) == region->base, "mremap back: %s", strerror(errno));
}

static void drop(struct region *region, int advice)
{
	region->drops_begun++;
	__sync_synchronize();
	check(madvise(region->base, region->size, advice) == 0, "madvise %d: %s", advice,
	      strerror(errno));
	__sync_synchronize();
	region->drops_done++;
}

static void dontneed(struct torture *torture, struct region *region)
{
	(void)torture;
	drop(region, MADV_DONTNEED);
}

static void punch(struct torture *torture, struct region *region)
{
	(void)torture;
	drop(region, MADV_REMOVE);
}

static void lazy_free(struct torture *torture, struct region *region)
{
	region->frees_begun++;
	__sync_synchronize();
	check(madvise(region->base, region->size, MADV_FREE) == 0, "MADV_FREE");
	__sync_synchronize();
	region->frees_done++;
	some_time(torture);
	madvise(region->base, region->size, MADV_PAGEOUT);
}

static void page_out(struct torture *torture, struct region *region)
{
	(void)torture;
	check(madvise(region->base, region->size, MADV_PAGEOUT) == 0, "MADV_PAGEOUT: %s",
	      strerror(errno));
}

/* May fail for want of memory, or because a guest writes: then nothing has changed. */
static void collapse(struct torture *torture, struct region *region)
{
	(void)torture;
	madvise(region->base, region->size, MADV_HUGEPAGE);
	madvise(region->base, region->size, MADV_COLLAPSE);
}

static void split(struct torture *torture, struct region *region)
{
	char *page = region->base + next_random(&torture->random) % (region->size / PAGE) * PAGE;

	check(mprotect(page, PAGE, PROT_READ) == 0, "mprotect");
	some_time(torture);
	check(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
}

/* A child's memory is a snapshot: what guests go on to write must not show in it. */
static void fork_child(struct torture *torture, struct region *region)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0) {
		words_copy(seen, region->base, region->size);
		usleep(2000);
		_exit(words_changed(region->base, seen, region->size) >= 0);
	}
	(void)torture;
	check(waitpid(pid, &status, 0) == pid, "waitpid");
	check(status == 0, "stale write: after fork, into the child's region %d (%#x)",
	      region->kind, status);
}

static void uffd_register(struct torture *torture, struct region *region, uint64_t mode)
{
	struct uffdio_register request = {
		.range = { (uintptr_t)region->base, region->size },
		.mode = mode,
	};

	check(ioctl(torture->uffd, UFFDIO_REGISTER, &request) == 0, "UFFDIO_REGISTER: %s",
	      strerror(errno));
}

static void uffd_unregister(struct torture *torture, struct region *region)
{
	struct uffdio_range range = { (uintptr_t)region->base, region->size };

	check(ioctl(torture->uffd, UFFDIO_UNREGISTER, &range) == 0, "UFFDIO_UNREGISTER");
}

/* Guests that touch what is missing sleep in the kernel until it is there. */
static void uffd_missing(struct torture *torture, struct region *region)
{
	uffd_register(torture, region, UFFDIO_REGISTER_MODE_MISSING);
	drop(region, MADV_DONTNEED);
	some_time(torture);
	for (size_t offset = 0; offset < region->size; offset += PAGE) {
		struct uffdio_zeropage zero = {
			.range = { (uintptr_t)region->base + offset, PAGE },
		};

		check(ioctl(torture->uffd, UFFDIO_ZEROPAGE, &zero) == 0, "a guest got past "
		      "userfaultfd: %s", strerror(errno));
	}
	uffd_unregister(torture, region);
}

static void uffd_write_protect(struct torture *torture, struct region *region)
{
	struct uffdio_writeprotect request = {
		.range = { (uintptr_t)region->base, region->size },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	uffd_register(torture, region, UFFDIO_REGISTER_MODE_WP);
	check(madvise(region->base, region->size, MADV_POPULATE_READ) == 0, "MADV_POPULATE_READ");
	check(ioctl(torture->uffd, UFFDIO_WRITEPROTECT, &request) == 0, "UFFDIO_WRITEPROTECT: %s",
	      strerror(errno));
	watch(torture, region, "UFFDIO_WRITEPROTECT");
	request.mode = 0;
	check(ioctl(torture->uffd, UFFDIO_WRITEPROTECT, &request) == 0, "UFFDIO_WRITEPROTECT");
	uffd_unregister(torture, region);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	check(fd >= 0, "%s: %s", path, strerror(errno));
	check(write(fd, text, strlen(text)) > 0, "%s: %s", path, strerror(errno));
	close(fd);
}

static void migrate(struct torture *torture, struct region *region)
{
	(void)torture;
	(void)region;
	write_file("/proc/sys/vm/compact_memory", "1");
}

/* As if memory were short: reclaim asks which pages are in use, and takes others. */
static void reclaim(struct torture *torture, struct region *region)
{
	int fd = open(torture->reclaim, O_WRONLY | O_CLOEXEC);

	(void)region;
	check(fd >= 0, "%s: %s", torture->reclaim, strerror(errno));
	check(write(fd, "1M", 2) == 2 || errno == EAGAIN, "%s: %s", torture->reclaim,
	      strerror(errno));
	close(fd);
}

static void shrink(struct torture *torture, struct region *region)
{
	(void)torture;
	(void)region;
	write_file("/proc/sys/vm/drop_caches", "2");
}

struct operation operations[] = {
	{ "read-only", PRIVATE | FILES, read_only, 0 },
	{ "no-access", FILES, no_access, 0 },
	{ "munmap", FILES, unmap, 0 },
	{ "replace", FILES, replace, 0 },
	{ "mremap", PRIVATE, move, 0 },
	{ "dontneed", PRIVATE, dontneed, 0 },
	{ "free", IN(ANON) | IN(THP), lazy_free, 0 },
	{ "punch", FILES, punch, 0 },
	{ "pageout", SMALL | IN(THP), page_out, 0 },
	{ "collapse", IN(THP), collapse, 0 },
	{ "split", IN(THP), split, 0 },
	{ "fork", PRIVATE, fork_child, 0 },
	{ "uffd-missing", IN(ANON), uffd_missing, 0 },
	{ "uffd-wp", IN(ANON), uffd_write_protect, 0 },
	{ "migrate", 0, migrate, 0 },
	{ "reclaim", 0, reclaim, 0 },
	{ "shrink", 0, shrink, 0 },
};

const unsigned int operation_count = sizeof(operations) / sizeof(operations[0]);

void operations_setup(struct torture *torture, const char *cgroup)
{
	struct uffdio_api api = { .api = UFFD_API };
	char procs[256];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
	write_file(procs, "0");
	snprintf(torture->reclaim, sizeof(torture->reclaim), "%s/memory.reclaim", cgroup);
	write_file("/sys/kernel/mm/ksm/pages_to_scan", "2000");
	write_file("/sys/kernel/mm/ksm/sleep_millisecs", "5");
	write_file("/sys/kernel/mm/ksm/run", "1");
	torture->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	check(torture->uffd >= 0 && ioctl(torture->uffd, UFFDIO_API, &api) == 0,
	      "userfaultfd: %s", strerror(errno));
}
