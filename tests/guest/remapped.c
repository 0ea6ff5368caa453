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
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "check.h"
#include "inside.h"

#define PAGE DBOS_PAGE_SIZE
#define MANY 40	/* pages */

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

/* Pointers behind pointers of messages are followed, and what is scattered is put together. */
static void in_messages(int pair[2])
{
	char *edge = area + PAGE - 3, got[16] = "", into[4] = "";
	struct iovec parts[2] = { { area + 8, 4 }, { edge, 6 } }, back[2] = { { into, 4 },
									      { edge, 6 } };
	struct msghdr *over = (struct msghdr *)(area + PAGE - 20);
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 }, before;

	memcpy(area + 8, "mnop", 4);
	memcpy(edge, "qrstuv", 6);
	check(sendmsg(pair[0], &message, 0) == 10, "sendmsg: %s", strerror(errno));
	check(read(pair[1], got, 10) == 10 && memcmp(got, "mnopqrstuv", 10) == 0,
	      "sendmsg took %.10s", got);
	check(write(pair[1], "ABCDEFGHIJ", 10) == 10, "write");
	memcpy(over, &(struct msghdr){ .msg_iov = back, .msg_iovlen = 2, .msg_flags = -1 },
	       sizeof(*over));
	back[1].iov_base = area + 2 * PAGE;
	before = *over;
	check(recvmsg(pair[0], over, 0) == 10, "recvmsg: %s", strerror(errno));
	check(memcmp(into, "ABCD", 4) == 0 && memcmp(area + 2 * PAGE, "EFGHIJ", 6) == 0,
	      "recvmsg left %.4s, %.6s", into, area + 2 * PAGE);
	before.msg_flags = 0;
	check(memcmp(over, &before, sizeof(before)) == 0, "the header has changed");
	back[1].iov_base = edge;
	message.msg_iov = back;
	check(write(pair[1], "0123456789", 10) == 10, "write");
	check(recvmsg(pair[0], &message, 0) == 10, "recvmsg: %s", strerror(errno));
	check(memcmp(into, "0123", 4) == 0 && memcmp(edge, "456789", 6) == 0,
	      "recvmsg left %.4s, %.6s", into, edge);
}

/* A descriptor and a name, both over the edge, there and back. */
static void beside_messages(int pair[2])
{
	struct cmsghdr *control = (struct cmsghdr *)(area + PAGE - 8);
	struct iovec part = { area + 8, 4 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct stat sent, got;
	int fd;

	memcpy(control, &(struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS },
	       sizeof(*control));
	memcpy((char *)control + sizeof(*control), &ends[0], sizeof(int));
	check(sendmsg(pair[0], &message, 0) == 4, "sendmsg: %s", strerror(errno));
	memset(control, 0, CMSG_SPACE(sizeof(int)));
	check(recvmsg(pair[1], &message, 0) == 4, "recvmsg: %s", strerror(errno));
	check(message.msg_controllen == CMSG_SPACE(sizeof(int)) && !message.msg_flags,
	      "%zu bytes of control data", message.msg_controllen);
	memcpy(&fd, (char *)control + sizeof(*control), sizeof(int));
	check(fstat(fd, &got) == 0 && fstat(ends[0], &sent) == 0 && got.st_ino == sent.st_ino,
	      "another descriptor has come");
	close(fd);
}

static void many_messages(int pair[2])
{
	struct mmsghdr *many = (struct mmsghdr *)(area + PAGE - sizeof(struct mmsghdr) - 8);
	struct iovec parts[3];

	memset(many, 0, 3 * sizeof(*many));
	for (int i = 0; i < 3; i++) {
		parts[i] = (struct iovec){ area + 3 * PAGE + 100 + i, 1 + i };
		many[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	memcpy(area + 3 * PAGE + 100, "xyzuv", 5);
	check(sendmmsg(pair[0], many, 3, 0) == 3, "sendmmsg: %s", strerror(errno));
	check(many[0].msg_len == 1 && many[1].msg_len == 2 && many[2].msg_len == 3,
	      "sent %u, %u, %u", many[0].msg_len, many[1].msg_len, many[2].msg_len);
	memset(parts, 0, sizeof(parts));
	for (int i = 0; i < 3; i++) {
		parts[i] = (struct iovec){ area + 2 * PAGE + 16 * i, 16 };
		many[i].msg_len = 0;
	}
	check(recvmmsg(pair[1], many, 3, 0, NULL) == 3, "recvmmsg: %s", strerror(errno));
	check(many[0].msg_len == 1 && many[1].msg_len == 2 && many[2].msg_len == 3,
	      "received %u, %u, %u", many[0].msg_len, many[1].msg_len, many[2].msg_len);
	check(area[2 * PAGE] == 'x' && memcmp(area + 2 * PAGE + 16, "yz", 2) == 0 &&
	      memcmp(area + 2 * PAGE + 32, "zuv", 3) == 0, "recvmmsg left %.35s", area + 2 * PAGE);
}

/* Nothing of it is beside its neighbour for the host. */
static char *scattered(void)
{
	char *many = mmap(NULL, MANY * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	check(many != MAP_FAILED, "mmap");
	for (unsigned int i = 0; i < MANY; i += 2) {
		volatile dbos_pte_t *one, *two;
		dbos_pte_t was;

		many[i * PAGE] = many[(i + 1) * PAGE] = 0;
		check_ok(dbos_pte(dbos_instance(), many + i * PAGE, &one));
		check_ok(dbos_pte(dbos_instance(), many + (i + 1) * PAGE, &two));
		was = *one;
		*one = *two;
		*two = was;
		dbos_invlpg(many + i * PAGE);
		dbos_invlpg(many + (i + 1) * PAGE);
	}
	return many;
}

/* Calls that have no form with a list of pieces. */
static void larger_than_a_few_pages(void)
{
	char *many = scattered(), *plain = malloc(MANY * PAGE);
	int pair[2];

	check(plain && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "malloc, socketpair");
	for (unsigned int i = 0; i < MANY * PAGE; i++)
		many[i] = i / 64 + i;
	check(send(pair[0], many, MANY * PAGE, 0) == MANY * PAGE, "send: %s", strerror(errno));
	check(recv(pair[1], plain, MANY * PAGE, MSG_WAITALL) == MANY * PAGE, "recv: %s",
	      strerror(errno));
	check(memcmp(plain, many, MANY * PAGE) == 0, "send took other bytes");
	memset(many, 0, MANY * PAGE);
	check(send(pair[0], plain, MANY * PAGE, 0) == MANY * PAGE, "send: %s", strerror(errno));
	check(recv(pair[1], many, MANY * PAGE, MSG_WAITALL) == MANY * PAGE, "recv: %s",
	      strerror(errno));
	check(memcmp(plain, many, MANY * PAGE) == 0, "recv left other bytes");
	free(plain);
	close(pair[0]);
	close(pair[1]);
}

/* The name of a socket that is bound to one is received, and sent to. */
static void named_messages(void)
{
	struct sockaddr_un *name = (struct sockaddr_un *)(area + PAGE - 5);
	struct sockaddr_un own = { .sun_family = AF_UNIX, .sun_path = "\0remapped" };
	socklen_t length = sizeof(sa_family_t) + 9;
	struct iovec part = { area + 8, 4 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_name = name,
				  .msg_namelen = length };
	int at = socket(AF_UNIX, SOCK_DGRAM, 0);

	check(bind(at, (struct sockaddr *)&own, length) == 0, "bind: %s", strerror(errno));
	memcpy(name, &own, length);
	check(sendmsg(at, &message, 0) == 4, "sendmsg to a name: %s", strerror(errno));
	memset(name, 0, length);
	message.msg_namelen = sizeof(*name);
	check(recvmsg(at, &message, 0) == 4, "recvmsg with a name: %s", strerror(errno));
	check(message.msg_namelen == length && memcmp(name, &own, length) == 0,
	      "a name of %u bytes", message.msg_namelen);
	close(at);
}

static void messages(void)
{
	int pair[2];

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	in_messages(pair);
	beside_messages(pair);
	close(pair[0]);
	close(pair[1]);
	check(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
	many_messages(pair);
	named_messages();
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
	messages();
	larger_than_a_few_pages();
	refused_by_the_table();
	check_ok(dbos_leave());
	printf("remapped: ok, %u faults\n", faults);
	return 0;
}
