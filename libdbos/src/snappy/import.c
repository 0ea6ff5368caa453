// SPDX-License-Identifier: BSD-2-Clause
/*
 * The importer's side of <dbos/export.h>: an ordinary process, which looks at what it is sent once,
 * before it believes it.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dbos/export.h>

#include "snappy/export_format.h"

struct mapped_file {
	const char *memory;
	uint64_t size;
};

struct dbos_import {
	int socket;
	unsigned int files;
	struct mapped_file file[INDEX_FILES];
};

/* Descriptors go whatever becomes of them: the mappings stay. Returns how many there were. */
static int map_files(struct dbos_import *import, const int *descriptors, unsigned int count)
{
	int ret = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct mapped_file *file = &import->file[i];
		struct stat status;
		void *memory;

		if (!ret && (fstat(descriptors[i], &status) < 0 || !status.st_size))
			ret = -EPROTO;
		if (!ret) {
			memory = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, descriptors[i],
				      0);
			if (memory == MAP_FAILED)
				ret = -errno;
			else
				*file = (struct mapped_file){ memory, status.st_size };
		}
		close(descriptors[i]);
	}
	import->files = count;
	return ret;
}

static int receive(struct dbos_import *import, int *descriptors, unsigned int *count)
{
	char byte, control[CMSG_SPACE(INDEX_FILES * sizeof(int))];
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *first;
	ssize_t got;

	*count = 0;
	do
		got = recvmsg(import->socket, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return -EOWNERDEAD;
	if (got < 0)
		return -errno;
	first = CMSG_FIRSTHDR(&message);
	if (!first || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	*count = (first->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(descriptors, CMSG_DATA(first), *count * sizeof(int));
	/* Fewer arrive where the limit of descriptors is reached. */
	return message.msg_flags & MSG_CTRUNC ? -EMFILE : 0;
}

static const struct index_header *header_of(const struct dbos_import *import)
{
	return (const struct index_header *)import->file[0].memory;
}

static const struct index_run *runs_of(const struct dbos_import *import)
{
	return (const struct index_run *)(header_of(import) + 1);
}

static bool run_is_sound(const struct dbos_import *import, const struct index_run *run,
			 uint64_t behind)
{
	const struct mapped_file *file;

	if (run->file >= import->files)
		return false;
	file = &import->file[run->file];
	return run->length && run->va >= behind && run->va + run->length > run->va &&
	       run->offset <= file->size && run->length <= file->size - run->offset;
}

/* So that what is asked for later is looked up without another check. */
static bool index_is_sound(const struct dbos_import *import)
{
	const struct index_header *header = header_of(import);
	uint64_t size = import->file[0].size, behind = 0;

	if (size < sizeof(*header) || header->magic != INDEX_MAGIC || header->size != size ||
	    header->count > (size - sizeof(*header)) / sizeof(struct index_run))
		return false;
	for (uint64_t i = 0; i < header->count; i++) {
		const struct index_run *run = &runs_of(import)[i];

		if (!run_is_sound(import, run, behind))
			return false;
		behind = run->va + run->length;
	}
	return true;
}

static void unmap(struct dbos_import *import)
{
	for (unsigned int i = 0; i < import->files; i++) {
		if (import->file[i].memory)
			munmap((void *)import->file[i].memory, import->file[i].size);
	}
	free(import);
}

int dbos_snap_import(int socket, struct dbos_import **out)
{
	struct dbos_import *import = calloc(1, sizeof(*import));
	int descriptors[INDEX_FILES], ret;
	unsigned int count;

	if (!import)
		return -ENOMEM;
	import->socket = socket;
	ret = receive(import, descriptors, &count);
	if (count) {
		int mapped = map_files(import, descriptors, count);

		ret = ret ? ret : mapped;
	}
	if (!ret && !index_is_sound(import))
		ret = -EPROTO;
	if (ret)
		unmap(import);
	else
		*out = import;
	return ret;
}

/* The run that @va is in, or NULL. */
static const struct index_run *run_at(const struct dbos_import *import, uint64_t va)
{
	const struct index_run *runs = runs_of(import);
	uint64_t lo = 0, hi = header_of(import)->count;

	while (lo < hi) {
		uint64_t middle = (lo + hi) / 2;

		if (va - runs[middle].va < runs[middle].length)
			return &runs[middle];
		if (va < runs[middle].va)
			hi = middle;
		else
			lo = middle + 1;
	}
	return NULL;
}

const void *dbos_import_find(const struct dbos_import *import, const void *va, size_t *length)
{
	const struct index_run *run = run_at(import, (uint64_t)va);
	uint64_t into;

	if (!run)
		return NULL;
	into = (uint64_t)va - run->va;
	*length = run->length - into;
	return import->file[run->file].memory + run->offset + into;
}

/* Behind what was read: the exporter says it before it lets anybody write there. */
static bool taken_back(const struct dbos_import *import)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&header_of(import)->taken_back, __ATOMIC_RELAXED);
}

int dbos_import_read(struct dbos_import *import, const void *va, void *to, size_t length)
{
	const char *from = va;
	char *out = to;

	while (length) {
		size_t part;
		const void *there = dbos_import_find(import, from, &part);

		if (!there)
			return -EFAULT;
		if (part > length)
			part = length;
		memcpy(out, there, part);
		from += part;
		out += part;
		length -= part;
	}
	return taken_back(import) ? -ESTALE : 0;
}

int dbos_import_check(struct dbos_import *import)
{
	struct pollfd poll_for = { .fd = import->socket, .events = POLLRDHUP };

	if (taken_back(import))
		return -ESTALE;
	if (poll(&poll_for, 1, 0) > 0 && poll_for.revents & (POLLHUP | POLLRDHUP | POLLERR))
		return -EOWNERDEAD;
	return 0;
}

void dbos_import_end(struct dbos_import *import)
{
	char done = IMPORT_DONE;

	(void)!send(import->socket, &done, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	unmap(import);
}
