// SPDX-License-Identifier: BSD-2-Clause
/*
 * regions [ROUNDS]: addresses whose translations are the program's. Each step prints its name; the
 * last line is "regions: ok". The oracle is what the host sees of the same memory, and the number
 * of frames: all that can be had are taken and given back before and after.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dbos/region.h>

#include "compared.h"
#include "partner.h"

#define PAGE	  DBOS_PAGE_SIZE
#define HUGE	  DBOS_HUGE_SIZE
#define GIB	  DBOS_GIGANTIC_SIZE
#define RW	  DBOS_REGION_WRITABLE
#define ALL_PAGES (1 << 18)

static struct dbos *dbos;
static uint64_t rounds = 200;
static uint64_t taken[ALL_PAGES];

static size_t take_all_frames(void)
{
	size_t count = 0;

	while (count < ALL_PAGES && (taken[count] = dbos_frame_alloc(dbos)))
		count++;
	return count;
}

static void give_frames(size_t count)
{
	while (count--)
		dbos_frame_free(dbos, taken[count]);
}

static struct dbos_region *create(size_t size, size_t reserve, unsigned int flags, char **base)
{
	struct dbos_region_info info;
	struct dbos_region *region;

	check_ok(dbos_region_create(dbos, NULL, size, reserve, flags, &region));
	dbos_region_info(region, &info);
	check(info.size == size && info.reserve >= reserve && info.flags == flags, "its info");
	*base = info.base;
	return region;
}

static char *map(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

/* The host reads the byte at the address: what the process has there, or what the guest sees. */
static int host_peek(const char *p)
{
	int ends[2];
	char byte = 0;

	check(pipe(ends) == 0, "pipe");
	if (write(ends[1], p, 1) != 1 || read(ends[0], &byte, 1) != 1)
		byte = -1;
	close(ends[0]);
	close(ends[1]);
	return byte;
}

static void expect(const volatile char *p, int value, uint64_t code)
{
	int seen = peek(p);

	check(seen == value, "at %p is %d, not %d", p, seen, value);
	check(value >= 0 || probe_code == code, "error code %#lx, not %#lx", probe_code, code);
}

static void refuses(volatile char *p, uint64_t code)
{
	check(!poke(p, 1), "%p can be written", p);
	check(probe_code == (code | DBOS_FEC_WRITE), "error code %#lx", probe_code);
}

static void rights_are_those_of_both(void)
{
	char *p;
	struct dbos_region *region = create(4 * PAGE, 4 * PAGE, 0, &p);

	expect(p + PAGE, 0, 0);
	refuses(p, DBOS_FEC_PRESENT);
	check_ok(dbos_region_protect(region, RW));
	check(poke(p, 5) && host_peek(p) == 5, "the host sees %d", host_peek(p));
	check(mprotect(p, PAGE, PROT_READ) == 0, "mprotect");
	refuses(p, DBOS_FEC_HOST);
	expect(p, 5, 0);
	check(mprotect(p, PAGE, PROT_NONE) == 0, "mprotect");
	expect(p, -1, DBOS_FEC_HOST);
	check(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0 && poke(p, 6), "mprotect");
	check_ok(dbos_region_protect(region, 0));
	refuses(p, DBOS_FEC_PRESENT);
	check(dbos_region_protect(region, DBOS_REGION_HUGE) == -EINVAL, "protect to another kind");
	check_ok(dbos_region_destroy(region));
	expect(p, -1, DBOS_FEC_HOST);
	printf("rights: ok\n");
}

static void regions_grow(void)
{
	char *p;
	struct dbos_region *region = create(PAGE, 64 * GIB / 8, RW, &p);

	check(poke(p, 1), "it can't be written");
	expect(p + PAGE, -1, DBOS_FEC_HOST);
	check_ok(dbos_region_grow(region, 3 * HUGE));
	expect(p, 1, 0);
	expect(p + 3 * HUGE - 1, 0, 0);
	expect(p + 3 * HUGE, -1, DBOS_FEC_HOST);
	check(poke(p + 2 * HUGE, 2) && host_peek(p + 2 * HUGE) == 2, "the host sees another page");
	check(dbos_region_grow(region, HUGE) == -EINVAL, "it shrinks");
	check(dbos_region_grow(region, 64 * GIB) == -ENOSPC, "it grows beyond its reserve");
	check(dbos_region_find(dbos, p) == region &&
	      dbos_region_find(dbos, p + 8 * GIB - 1) == region &&
	      dbos_region_find(dbos, p + 8 * GIB) != region &&
	      dbos_region_find(dbos, p - 1) != region, "it is not found");
	check_ok(dbos_region_destroy(region));
	check(!dbos_region_find(dbos, p), "it is still there");
	printf("grow: ok\n");
}

/* A region is of addresses: whatever the host puts there is what it shows. */
static void adopted_memory_changes(void)
{
	char *p = map(8 * PAGE), *elsewhere = map(PAGE);
	struct dbos_region *region, *second;

	memset(p, 3, 8 * PAGE);
	check_ok(dbos_region_adopt(dbos, p, 6 * PAGE, RW, &region));
	check(dbos_region_adopt(dbos, p + 5 * PAGE, PAGE, RW, &second) == -EEXIST, "it overlaps");
	check_ok(dbos_region_grow(region, 7 * PAGE));
	check_ok(dbos_region_adopt(dbos, p + 7 * PAGE, PAGE, 0, &second));
	check(dbos_region_grow(region, 8 * PAGE) == -EEXIST, "it grows into another");
	expect(p + 6 * PAGE, 3, 0);
	refuses(p + 7 * PAGE, DBOS_FEC_PRESENT);
	check_ok(dbos_region_destroy(second));
	check(munmap(p, PAGE) == 0, "munmap");
	expect(p, -1, DBOS_FEC_HOST);
	check(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + PAGE, "mmap");
	expect(p + PAGE, 0, 0);
	check(mremap(p + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) ==
	      elsewhere, "mremap");
	expect(p + 2 * PAGE, -1, DBOS_FEC_HOST);
	expect(elsewhere, 3, 0);
	check(madvise(p + 3 * PAGE, PAGE, MADV_DONTNEED) == 0, "madvise");
	expect(p + 3 * PAGE, 0, 0);
	check_ok(dbos_region_destroy(region));
	check(poke(p + 7 * PAGE, 4), "it is still not to be written");
	munmap(p, 8 * PAGE);
	munmap(elsewhere, PAGE);
	check(dbos_region_adopt(dbos, (void *)(0x300000000000ul), PAGE, RW, &region) == -EFAULT,
	      "nothing was adopted");
	printf("adopt: ok\n");
}

static void set_entry(char *va, uint64_t value)
{
	struct dbos_entry entry;

	check_ok(dbos_pte_lock(dbos, va, PAGE, &entry));
	dbos_pte_unlock(&entry, value);
	check_ok(dbos_flush(dbos, va, 1, DBOS_FLUSH_SYNC, NULL));
}

/* A terabyte of addresses, and memory that is shown at some of them. */
static void bare_addresses(void)
{
	char *p, *memory = map(2 * PAGE);
	struct dbos_region *region = create(1024 * GIB, 1024 * GIB, DBOS_REGION_BARE | RW, &p);
	char *last = p + 1024 * GIB - PAGE;

	memory[0] = 21;
	memory[PAGE] = 22;
	expect(p, -1, 0);
	expect(last, -1, 0);
	set_entry(p, dbos_gpa(dbos, memory) | DBOS_PTE_P | DBOS_PTE_W);
	set_entry(last, dbos_gpa(dbos, memory + PAGE) | DBOS_PTE_P);
	expect(p, 21, 0);
	expect(last, 22, 0);
	check(poke(p, 23) && memory[0] == 23, "memory has %d", memory[0]);
	refuses(last, DBOS_FEC_PRESENT);
	check(host_peek(last) == 22, "a system call sees %d", host_peek(last));
	check(munmap(memory + PAGE, PAGE) == 0, "munmap");
	probe_fault = 0;
	probe_read(last);
	check(probe_fault == (uintptr_t)memory + PAGE && probe_code == DBOS_FEC_HOST,
	      "lost memory faults at %#lx", probe_fault);
	check_ok(dbos_region_destroy(region));
	munmap(memory, PAGE);
	printf("bare: ok\n");
}

static struct {
	volatile char *base;
	uint64_t least;
} huge;

static void use_huge(void)
{
	uint64_t least = load(huge.least);

	for (int i = 0; i < 8; i++) {
		uint64_t *word = (uint64_t *)(huge.base + i * PAGE * 60);
		uint64_t seen = load(*word);

		check(i == 0 ? seen >= least : seen == (uint64_t)i, "page %d shows %lu", i, seen);
		store(word[1], seen);
	}
}

/* Leaves become tables and leaves again under the eyes of another vCPU. */
static void split_and_collapse(void)
{
	char *p;
	struct dbos_region *region = create(2 * HUGE, 2 * HUGE, RW | DBOS_REGION_HUGE, &p);
	struct dbos_entry entry;

	for (int i = 0; i < 8; i++)
		*(uint64_t *)(p + i * PAGE * 60) = i;
	huge.base = p;
	huge.least = 0;
	begin_partner(use_huge);
	for (uint64_t i = 0; i < rounds; i++) {
		check_ok(dbos_split(dbos, p + HUGE - 1, PAGE));
		check_ok(dbos_split(dbos, p, PAGE));
		check(dbos_pte_lock(dbos, p, HUGE, &entry) == -EEXIST, "no table");
		store(*(uint64_t *)p, i);
		store(huge.least, i);
		check_ok(dbos_pte_lock(dbos, p + PAGE, PAGE, &entry));
		check(dbos_collapse(dbos, p, HUGE, DBOS_FLUSH_SYNC) == -EBUSY, "a locked entry");
		dbos_pte_unlock(&entry, entry.value & ~DBOS_PTE_W);
		check(dbos_collapse(dbos, p, HUGE, DBOS_FLUSH_SYNC) == -EINVAL, "unequal rights");
		check_ok(dbos_pte_lock(dbos, p + PAGE, PAGE, &entry));
		dbos_pte_unlock(&entry, entry.value | DBOS_PTE_W);
		check_ok(dbos_collapse(dbos, p, HUGE, i % 2 ? DBOS_FLUSH_SYNC : DBOS_FLUSH_LAZY));
		check_ok(dbos_pte_lock(dbos, p, HUGE, &entry));
		check(entry.value & DBOS_PTE_PS, "entry %#lx is no leaf", entry.value);
		dbos_pte_unlock(&entry, entry.value);
	}
	end_partner();
	check(dbos_collapse(dbos, p, HUGE, DBOS_FLUSH_SYNC) == -EINVAL, "a leaf was collapsed");
	check(dbos_split(dbos, p, 3 * PAGE) == -EINVAL, "leaves of three pages");
	check_ok(dbos_region_destroy(region));
	printf("leaves: ok\n");
}

static void shared_with_a_child(void)
{
	char *p;
	struct dbos_region *region = create(PAGE, 2 * PAGE, RW | DBOS_REGION_SHARED, &p);
	pid_t pid;

	check_ok(dbos_region_grow(region, 2 * PAGE));
	p[0] = 1;
	pid = fork();
	if (pid == 0) {
		p[PAGE] = p[0] + 1;
		_exit(0);
	}
	check(waitpid(pid, NULL, 0) == pid, "waitpid");
	expect(p + PAGE, 2, 0);
	check_ok(dbos_region_destroy(region));
	printf("shared: ok\n");
}

static void bad_requests(void)
{
	char *p = map(2 * PAGE);
	struct dbos_region *region;

	check(dbos_region_create(dbos, NULL, PAGE, PAGE, 1u << 31, &region) == -EINVAL, "flag");
	check(dbos_region_create(dbos, NULL, 0, PAGE, 0, &region) == -EINVAL, "no size");
	check(dbos_region_create(dbos, NULL, 2 * PAGE, PAGE, 0, &region) == -EINVAL, "reserve");
	check(dbos_region_create(dbos, NULL, 100, PAGE, 0, &region) == -EINVAL, "size");
	check(dbos_region_create(dbos, p, PAGE, PAGE, 0, &region) == -EEXIST, "a place in use");
	check(dbos_region_create(dbos, NULL, PAGE, PAGE, DBOS_REGION_HUGE, &region) == -EINVAL,
	      "a huge page of 4 KiB");
	check(dbos_region_adopt(dbos, p + 1, PAGE, 0, &region) == -EINVAL, "address");
	check(dbos_region_adopt(dbos, p, PAGE, DBOS_REGION_BARE, &region) == -EINVAL, "bare");
	check_ok(dbos_region_create(dbos, (void *)0x210000000000ul, PAGE, PAGE, RW, &region));
	check(poke((void *)0x210000000000ul, 1), "a region far away");
	check_ok(dbos_region_destroy(region));
	munmap(p, 2 * PAGE);
	printf("requests: ok\n");
}

/* Nothing is left of what failed, and it succeeds when there are frames again. */
static void out_of_frames(void)
{
	size_t count, left;
	char *p;
	struct dbos_region *region = create(HUGE, HUGE, RW | DBOS_REGION_HUGE, &p), *other;
	struct dbos_entry entry;
	int ret;

	p[PAGE] = 9;
	/* It may lie where a region had a table that is there yet: then it is no leaf. */
	ret = dbos_collapse(dbos, p, HUGE, DBOS_FLUSH_SYNC);
	check(ret == 0 || ret == -EINVAL, "a leaf: %d", ret);
	count = take_all_frames();
	check(count > ALL_PAGES / 2, "%zu frames", count);
	check(dbos_split(dbos, p, PAGE) == -ENOMEM, "a table out of nothing");
	check(dbos_pte_lock(dbos, p, PAGE, &entry) == -ENOMEM, "an entry out of nothing");
	/* A single frame is not enough for what splits a gigantic leaf twice. */
	dbos_frame_free(dbos, taken[--count]);
	check(dbos_region_create(dbos, (void *)0x10001000ul, PAGE, PAGE, 0, &other) == -ENOMEM,
	      "a region out of one frame");
	check(!dbos_region_find(dbos, (void *)0x10001000ul), "it is found");
	expect((char *)0x10001000ul, -1, DBOS_FEC_HOST);
	expect(p + PAGE, 9, 0);
	left = count;
	give_frames(left);
	check_ok(dbos_split(dbos, p, PAGE));
	check_ok(dbos_region_create(dbos, (void *)0x10001000ul, PAGE, PAGE, 0, &other));
	expect((char *)0x10001000ul, 0, 0);
	check_ok(dbos_region_destroy(other));
	check_ok(dbos_region_destroy(region));
	printf("frames: ok\n");
}

static void once_more(void)
{
	bare_addresses();
	split_and_collapse();
	regions_grow();
}

/* Each mapping is below the one before: where another GiB begins, new tables come, and stay. */
static void leave_borders_behind(void)
{
	size_t below = ((uintptr_t)map(4 * HUGE) + GIB / 2) % GIB;

	check(mmap(NULL, below + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0) != MAP_FAILED, "mmap of %zu bytes of nothing", below);
}

/*
 * Each round finds its regions at other addresses, so that a table which one of them left behind is
 * of no use to the next, and missing at the end.
 */
static void nothing_is_lost(void)
{
	size_t before, after;
	const int times = 10;

	leave_borders_behind();
	once_more();
	before = take_all_frames();
	check(before < ALL_PAGES, "there are more frames than can be counted");
	give_frames(before);
	for (int i = 0; i < times; i++) {
		map(4 * HUGE);
		once_more();
	}
	after = take_all_frames();
	give_frames(after);
	check(after >= before, "%zu of %zu frames are lost", before - after, before);
	printf("flat: ok\n");
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 0);
	alarm(80);
	check_ok(dbos_init());
	dbos = dbos_instance();
	compared_begin();
	check_ok(dbos_enter());
	rights_are_those_of_both();
	regions_grow();
	adopted_memory_changes();
	bare_addresses();
	split_and_collapse();
	shared_with_a_child();
	bad_requests();
	out_of_frames();
	rounds = 2;
	nothing_is_lost();
	check_ok(dbos_leave());
	printf("regions: ok\n");
	return 0;
}
