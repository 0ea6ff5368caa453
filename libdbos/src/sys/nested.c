// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include "sys/nested.h"

/* One string of a program's arguments at most (MAX_ARG_STRLEN), and as many as anyone has. */
#define STRING_MAX  131072
#define STRINGS_MAX 65536

long nested_strings(const struct guest_memory *memory, uint64_t va)
{
	for (unsigned int i = 0; i < STRINGS_MAX; i++, va += sizeof(uint64_t)) {
		uint64_t string;
		long length;

		if (!guest_plain(memory, va, sizeof(string), false) ||
		    guest_read(memory, va, &string, sizeof(string)) < 0)
			return -EFAULT;
		if (!string)
			return 0;
		length = guest_string(memory, string, STRING_MAX);
		if (length < 0 || !guest_plain(memory, string, length, false))
			return -EFAULT;
	}
	return -E2BIG;
}

/* The kernel writes into the header in any case. */
static long one_message(const struct guest_memory *memory, uint64_t va, bool write)
{
	struct msghdr message;
	struct iovec part;
	uint64_t parts;

	if (!guest_plain(memory, va, sizeof(message), true) ||
	    guest_read(memory, va, &message, sizeof(message)) < 0)
		return -EFAULT;
	parts = (uint64_t)message.msg_iov;
	if (message.msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	if (!guest_plain(memory, (uint64_t)message.msg_name, message.msg_namelen, write) ||
	    !guest_plain(memory, (uint64_t)message.msg_control, message.msg_controllen, write) ||
	    !guest_plain(memory, parts, message.msg_iovlen * sizeof(part), false))
		return -EFAULT;
	for (size_t i = 0; i < message.msg_iovlen; i++, parts += sizeof(part)) {
		if (guest_read(memory, parts, &part, sizeof(part)) < 0 ||
		    !guest_plain(memory, (uint64_t)part.iov_base, part.iov_len, write))
			return -EFAULT;
	}
	return 0;
}

long nested_messages(const struct guest_memory *memory, uint64_t va, uint64_t count, bool write)
{
	/* The kernel takes no more at once (UIO_MAXIOV). */
	if (count > IOV_MAX)
		count = IOV_MAX;
	for (uint64_t i = 0; i < count; i++) {
		long ret = one_message(memory, va + i * sizeof(struct mmsghdr), write);

		if (ret)
			return ret;
	}
	return 0;
}
