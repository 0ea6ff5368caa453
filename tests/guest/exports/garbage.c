// SPDX-License-Identifier: BSD-2-Clause
/* What an importer is sent by who means no good, or by something else altogether. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exports.h"
#include "snappy/export_format.h"

/* Of the form that is right, but for what a case changes. */
struct index {
	struct index_header header;
	struct index_run run[2];
	char pages[2 * PAGE];
};

static const struct index sound = {
	.header = { .magic = INDEX_MAGIC, .count = 2, .size = sizeof(struct index) },
	.run = {
		{ .va = 0x10000, .length = PAGE, .offset = PAGE / 2 },
		{ .va = 0x20000, .length = PAGE, .offset = PAGE / 2 },
	},
};

static void send_file(int socket, int file)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { "", 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *first = CMSG_FIRSTHDR(&message);

	first->cmsg_level = SOL_SOCKET;
	first->cmsg_type = SCM_RIGHTS;
	first->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(first), &file, sizeof(int));
	check(sendmsg(socket, &message, 0) == 1, "sendmsg: %s", strerror(errno));
}

static int import_of(const struct index *index, size_t size)
{
	int sockets[2], file = memfd_create("garbage", MFD_CLOEXEC), ret;
	struct dbos_import *import;

	check(file >= 0 && write(file, index, size) == (ssize_t)size, "memfd");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "socketpair");
	send_file(sockets[1], file);
	ret = dbos_snap_import(sockets[0], &import);
	if (!ret)
		dbos_import_end(import);
	close(sockets[0]);
	close(sockets[1]);
	close(file);
	return ret;
}

#define refuse(change)                                                          \
	do {                                                                    \
		struct index index = sound;                                     \
		change;                                                         \
		check(import_of(&index, sizeof(index)) == -EPROTO,              \
		      "taken for an export: %s", #change);                      \
	} while (0)

static void refuse_what_is_no_index(void)
{
	check_ok(import_of(&sound, sizeof(sound)));
	check(import_of(&sound, 8) == -EPROTO, "8 bytes are an export");
	check(import_of(&sound, 0) == -EPROTO, "nothing is an export");
	refuse(index.header.magic++);
	refuse(index.header.size++);
	refuse(index.header.count = UINT64_MAX / 32);
	refuse(index.header.count = sizeof(index));
	refuse(index.run[1].file = 1);
	refuse(index.run[1].length = 0);
	refuse(index.run[1].offset = sizeof(index) - PAGE + 1);
	refuse(index.run[1].offset = UINT64_MAX - 1);
	refuse(index.run[1].va = 0x10fff);
	refuse(index.run[1].va = UINT64_MAX - PAGE + 1);
}

void what_is_no_export_is_refused(void)
{
	struct dbos_import *import;
	int sockets[2];

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "socketpair");
	check(write(sockets[1], "", 1) == 1, "write");
	check(dbos_snap_import(sockets[0], &import) == -EPROTO, "a byte is an export");
	close(sockets[1]);
	check(dbos_snap_import(sockets[0], &import) == -EOWNERDEAD, "nobody exports");
	close(sockets[0]);
	refuse_what_is_no_index();
	printf("garbage: ok\n");
}
