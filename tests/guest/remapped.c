// SPDX-License-Identifier: BSD-2-Clause
/*
 * remapped [hooked]: system calls on memory that the program has remapped in its own page table.
 * Pages A, B, C, D are mapped as they are; then A shows D's frame. What the guest reads at A is
 * what the host must read there, and what the host writes there must be what the guest finds. With
 * "hooked" every call goes through a registered handler.
 */
#include <fcntl.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "check.h"
#include "inside.h"

#define PAGE DBOS_PAGE_SIZE

static char *area;
static volatile dbos_pte_t *entry;	/* of page A */
static dbos_pte_t own, other;
static int ends[2];
static unsigned int faults;
static uint64_t fault_code;

static void set_entry(dbos_pte_t value)
{
	*entry = value;
	dbos_invlpg(area);
}

static void remap(void)
{
	volatile dbos_pte_t *of_d;

	area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(area != MAP_FAILED, "mmap");
	memset(area, 'a', PAGE);
	memset(area + PAGE, 'b', PAGE);
	memset(area + 3 * PAGE, 'd', PAGE);
	check_ok(dbos_pte(dbos_instance(), area, &entry));
	check_ok(dbos_pte(dbos_instance(), area + 3 * PAGE, &of_d));
	own = *entry;
	other = *of_d;
	set_entry(other);
	check(area[0] == 'd' && area[PAGE] == 'b', "the guest itself sees %c%c", area[0],
	      area[PAGE]);
}

static void in_one_page(void)
{
	char got[16] = "";

	check(write(ends[1], area + 8, 4) == 4 && read(ends[0], got, 4) == 4, "write, read");
	check(memcmp(got, "dddd", 4) == 0, "write took %.4s from the page", got);
	check(write(ends[1], "1234", 4) == 4 && read(ends[0], area + 8, 4) == 4, "write, read");
	check(memcmp(area + 8, "1234", 4) == 0, "read left %.4s in the page", area + 8);
	check(memcmp(area + 3 * PAGE + 8, "1234", 4) == 0, "and %.4s in its frame",
	      area + 3 * PAGE + 8);
}

/* The two pages are not beside each other for the host. */
static void over_the_edge(void)
{
	char *edge = area + PAGE - 3, got[16] = "";
	struct iovec parts[2] = { { area + 100, 2 }, { edge, 6 } };
	struct stat *st = (struct stat *)(area + PAGE - 40), expected;

	check(write(ends[1], edge, 6) == 6 && read(ends[0], got, 6) == 6, "write, read");
	check(memcmp(got, "dddbbb", 6) == 0, "write took %.6s", got);
	check(write(ends[1], "uvwxyz", 6) == 6 && read(ends[0], edge, 6) == 6, "write, read");
	check(memcmp(edge, "uvwxyz", 6) == 0, "read left %.6s", edge);
	check(writev(ends[1], parts, 2) == 8 && read(ends[0], got, 8) == 8, "writev, read");
	check(memcmp(got, "dduvwxyz", 8) == 0, "writev took %.8s", got);
	check(fstat(ends[0], &expected) == 0 && fstat(ends[0], st) == 0, "fstat");
	check(memcmp(st, &expected, sizeof(expected)) == 0, "fstat over the edge is different");
	memcpy(edge, "/de", 3);
	strcpy(edge + 3, "v/null");
	check(access(edge, F_OK) == 0, "a path over the edge: %s", strerror(errno));
}

/* Pointers behind pointers are not translated, so they are refused. */
static void nested(void)
{
	struct iovec part = { area + 8, 4 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int pair[2];

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	check(sendmsg(pair[0], &message, 0) == -1 && errno == EFAULT, "sendmsg was not refused");
	part.iov_base = area + PAGE;
	check(sendmsg(pair[0], &message, 0) == 4, "sendmsg of an ordinary page: %s",
	      strerror(errno));
	close(pair[0]);
	close(pair[1]);
}

static enum dbos_verdict open_page(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	(void)arg;
	(void)tf;
	faults++;
	fault_code = fec;
	check(va == (uintptr_t)area + 8, "a fault at %#lx", va);
	set_entry(own);
	return DBOS_HANDLED;
}

static void refused_by_the_table(void)
{
	char got[8] = "";

	set_entry(0);
	check(write(ends[1], area + 8, 4) == -1 && errno == EFAULT, "written without an entry");
	set_entry(own & ~DBOS_PTE_W);
	check(write(ends[1], "5678", 4) == 4, "write");
	check(read(ends[0], area + 8, 4) == -1 && errno == EFAULT, "read into a page without W");
	check_ok(dbos_on_fault(dbos_instance(), (uintptr_t)area, (uintptr_t)area + PAGE, open_page,
			       NULL));
	check(read(ends[0], area + 8, 4) == 4, "read with a handler: %s", strerror(errno));
	check(faults == 1 && fault_code == (DBOS_FEC_PRESENT | DBOS_FEC_WRITE), "%u faults, %#lx",
	      faults, fault_code);
	check(memcmp(area + 8, "5678", 4) == 0, "read left %.4s", area + 8);
	set_entry(0);
	check(write(ends[1], area + 8, 4) == 4 && read(ends[0], got, 4) == 4, "write, read");
	check(faults == 2 && fault_code == 0, "%u faults, %#lx", faults, fault_code);
	check(memcmp(got, "5678", 4) == 0, "write took %.4s", got);
}

int main(int argc, char **argv)
{
	check_ok(dbos_init());
	check_ok(dbos_enter());
	if (argc > 1 && strcmp(argv[1], "hooked") == 0)
		check_ok(dbos_on_syscall(dbos_instance(), DBOS_ANY, pass_on, NULL));
	check(pipe(ends) == 0, "pipe");
	remap();
	in_one_page();
	over_the_edge();
	nested();
	refused_by_the_table();
	check_ok(dbos_leave());
	printf("remapped: ok, %u faults\n", faults);
	return 0;
}
