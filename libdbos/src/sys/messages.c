// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "sys/messages.h"

/* Of all headers, at any offset in a page. */
#define HEADER_PIECES (IOV_MAX * sizeof(struct mmsghdr) / DBOS_PAGE_SIZE + 2)

/* Of names and control data, the same. */
#define COPY_PIECES (MESSAGES_COPIES / DBOS_PAGE_SIZE + 2)

/* The kernel looks at no more of a name. */
#define NAME_MAX_LENGTH sizeof(struct sockaddr_storage)

/* All of it is to be used, in at most @max pieces: how many there are. -EFAULT, -ENOMEM. */
static long use(const struct guest_memory *memory, uint64_t va, uint64_t length, bool write,
		struct iovec *pieces, size_t max)
{
	long count = guest_pieces(memory, va, length, write, pieces, max), ret;

	if (count < 0)
		return count;
	ret = guest_note(memory, va, pieces, count, write);
	return ret < 0 ? ret : count;
}

/* A name, or control data: where it is if that is contiguous, else a copy. */
static long use_whole(struct messages *messages, const struct guest_memory *memory, void **where,
		      uint64_t length)
{
	struct iovec pieces[COPY_PIECES];
	uint64_t va = (uint64_t)*where;
	long count;
	char *copy;

	if (!va || !length)
		return 0;
	if (length > MESSAGES_COPIES)
		return -ENOBUFS;
	count = use(memory, va, length, messages->receives, pieces, COPY_PIECES);
	if (count < 0)
		return count;
	*where = pieces[0].iov_base;
	if (count == 1)
		return 0;
	if (length > MESSAGES_COPIES - messages->copied)
		return -ENOBUFS;
	copy = messages->copies + messages->copied;
	if (guest_read(memory, va, copy, length) < 0)
		return -EFAULT;
	messages->copied += (length + 15) & ~15ull;
	*where = copy;
	return 0;
}

static long use_vector(struct messages *messages, const struct guest_memory *memory,
		       struct msghdr *host)
{
	size_t first = messages->used;

	if (host->msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	if (guest_read(memory, (uint64_t)host->msg_iov, messages->vector,
		       host->msg_iovlen * sizeof(struct iovec)) < 0)
		return -EFAULT;
	for (size_t i = 0; i < host->msg_iovlen; i++) {
		const struct iovec *part = &messages->vector[i];
		struct iovec *pieces = &messages->pieces[messages->used];
		uint64_t got = 0;
		long count;

		if ((ssize_t)part->iov_len < 0)
			return -EINVAL;
		count = use(memory, (uint64_t)part->iov_base, part->iov_len, messages->receives,
			    pieces, IOV_MAX - messages->used);
		if (count < 0)
			return count;
		for (long k = 0; k < count; k++)
			got += pieces[k].iov_len;
		/* Less of it would be another message. */
		if (got < part->iov_len)
			return -EMSGSIZE;
		messages->used += count;
	}
	host->msg_iov = &messages->pieces[first];
	host->msg_iovlen = messages->used - first;
	return 0;
}

static long use_message(struct messages *messages, const struct guest_memory *memory, uint64_t i)
{
	struct msghdr *host = &messages->host[i].msg_hdr;
	uint64_t va = messages->va + i * messages->stride, length;
	long ret;

	if (guest_read(memory, va, host, sizeof(*host)) < 0)
		return -EFAULT;
	messages->given[i] = *host;
	if ((int)host->msg_namelen < 0)
		return -EINVAL;
	length = host->msg_namelen < NAME_MAX_LENGTH ? host->msg_namelen : NAME_MAX_LENGTH;
	ret = use_whole(messages, memory, &host->msg_name, length);
	if (!ret)
		ret = use_whole(messages, memory, &host->msg_control, host->msg_controllen);
	return ret ? ret : use_vector(messages, memory, host);
}

long messages_use(struct messages *messages, const struct guest_memory *memory, bool receives)
{
	struct iovec headers[HEADER_PIECES];
	uint64_t wanted = messages->count < IOV_MAX ? messages->count : IOV_MAX;
	long ret = 0;

	messages->receives = receives;
	messages->stride = sizeof(struct mmsghdr);
	if (!messages->counted) {
		messages->stride = sizeof(struct msghdr);
		wanted = 1;
	}
	/* sendmsg(2) alone leaves its header as it is. */
	if (receives || messages->counted)
		ret = use(memory, messages->va, wanted * messages->stride, true, headers,
			  HEADER_PIECES);
	messages->count = 0;
	for (uint64_t i = 0; ret >= 0 && i < wanted; i++) {
		ret = use_message(messages, memory, i);
		if (!ret)
			messages->count++;
	}
	if (memory->fault->happened)
		return -EFAULT;
	return ret < 0 && !messages->count ? ret : 0;
}

static bool is_copy(const struct messages *messages, const void *where)
{
	return (const char *)where >= messages->copies &&
	       (const char *)where < messages->copies + MESSAGES_COPIES;
}

static long whole_back(const struct messages *messages, const struct guest_memory *memory,
		       const void *host, const void *given, uint64_t length)
{
	if (!messages->receives || !is_copy(messages, host))
		return 0;
	return guest_write_back(memory, (uint64_t)given, host, length);
}

/* The kernel has written three fields of a header, and the length behind it. */
static long message_back(const struct messages *messages, const struct guest_memory *memory,
			 uint64_t i)
{
	const struct msghdr *given = &messages->given[i], *host = &messages->host[i].msg_hdr;
	uint64_t va = messages->va + i * messages->stride;
	struct mmsghdr back = { .msg_hdr = *given, .msg_len = messages->host[i].msg_len };
	uint64_t length = given->msg_namelen;

	if (messages->receives) {
		back.msg_hdr.msg_namelen = host->msg_namelen;
		back.msg_hdr.msg_controllen = host->msg_controllen;
		back.msg_hdr.msg_flags = host->msg_flags;
	}
	if (length > NAME_MAX_LENGTH)
		length = NAME_MAX_LENGTH;
	if (whole_back(messages, memory, host->msg_name, given->msg_name, length) < 0 ||
	    whole_back(messages, memory, host->msg_control, given->msg_control,
		       given->msg_controllen) < 0)
		return -EFAULT;
	length = messages->counted ? sizeof(back) : sizeof(back.msg_hdr);
	return guest_write_back(memory, va, &back, length);
}

long messages_give_back(const struct messages *messages, const struct guest_memory *memory,
			long ret)
{
	uint64_t done = ret < 0 ? 0 : 1;

	if (messages->counted)
		done = ret < 0 ? 0 : ret;
	else if (!messages->receives)
		return ret;
	for (uint64_t i = 0; i < done; i++) {
		if (message_back(messages, memory, i) < 0)
			return -EFAULT;
	}
	return ret;
}
