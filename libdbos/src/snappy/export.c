// SPDX-License-Identifier: BSD-2-Clause
/*
 * The exporter's side of <dbos/export.h>. What is handed on is a snapshot of the snapshot: nobody
 * goes on that one, so until it is released nobody writes its frames where they are, and an entry
 * of it always leads to the same. It counts as one that somebody is on, so that it is not dropped
 * where frames run out.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <dbos/export.h>

#include "hv/apart.h"
#include "mm/region_memory.h"
#include "snappy/engine.h"
#include "snappy/export_format.h"
#include "snappy/instance.h"

struct dbos_export {
	struct dbos_snap *snap;
	int socket;
	struct index_header *index;
	struct dbos_export_info info;
};

/* The index in the making. Offsets in file 0 count from the first copied page. */
struct draft {
	const struct dbos_export *export;
	const struct dbos_region *region[INDEX_FILES];	/* what the files are of; [0]: none */
	unsigned int files;
	struct index_run *run;
	uint64_t count, room, copied;
};

static size_t size_of(const struct draft *draft)
{
	return draft->room * sizeof(*draft->run);
}

/* Not by malloc(): who has its lock may wait for that of snapshots, to write to the heap. */
static bool make_room(struct draft *draft)
{
	struct draft more = { .room = draft->room ? 2 * draft->room : 64 };

	more.run = apart_alloc(size_of(&more));
	if (!more.run)
		return false;
	if (draft->run)
		memcpy(more.run, draft->run, size_of(draft));
	apart_free(draft->run, size_of(draft));
	draft->run = more.run;
	draft->room = more.room;
	return true;
}

static int add_run(struct draft *draft, const struct index_run *run)
{
	struct index_run *last = draft->count ? &draft->run[draft->count - 1] : NULL;

	if (last && last->va + last->length == run->va && last->file == run->file &&
	    last->offset + last->length == run->offset) {
		last->length += run->length;
		return 0;
	}
	if (draft->count == draft->room && !make_room(draft))
		return -ENOMEM;
	draft->run[draft->count++] = *run;
	return 0;
}

/* Of the region's file; 0: it has none, or there are too many. */
static unsigned int file_of(struct draft *draft, const struct dbos_region *region)
{
	if (!region || region->file < 0)
		return 0;
	for (unsigned int i = 1; i < draft->files; i++) {
		if (draft->region[i] == region)
			return i;
	}
	if (draft->files == INDEX_FILES)
		return 0;
	draft->region[draft->files] = region;
	return draft->files++;
}

/* One page, which is at @gpa: in memory that the host has at the addresses of a region, or not. */
static int add_page(void *arg, uint64_t va, uint64_t gpa)
{
	struct draft *draft = arg;
	struct dbos *dbos = draft->export->snap->dbos;
	uint64_t host = (uint64_t)life_host_memory(&dbos->snappy->lives, gpa);
	struct dbos_region *region = dbos_region_find(dbos, (const void *)host);
	struct index_run run = { va, FRAME_SIZE, file_of(draft, region), 0 };

	if (run.file) {
		run.offset = host - region->base;
	} else {
		run.offset = draft->copied;
		draft->copied += FRAME_SIZE;
	}
	return add_run(draft, &run);
}

static int copy_pages(const struct draft *draft, struct index_header *index)
{
	const struct index_run *runs = (const struct index_run *)(index + 1);
	int ret = 0;

	for (uint64_t i = 0; !ret && i < draft->count; i++) {
		if (!runs[i].file)
			ret = dbos_snap_read(draft->export->snap, (const void *)runs[i].va,
					     (char *)index + runs[i].offset, runs[i].length);
	}
	return ret;
}

static int fill_index(const struct draft *draft, struct index_header *index, uint64_t size)
{
	struct index_run *runs = (struct index_run *)(index + 1);

	*index = (struct index_header){
		.magic = INDEX_MAGIC, .count = draft->count, .size = size,
	};
	for (uint64_t i = 0; i < draft->count; i++) {
		runs[i] = draft->run[i];
		if (!runs[i].file)
			runs[i].offset += index_size(draft->count);
	}
	return copy_pages(draft, index);
}

/* Of a size that stays, so that the importer's reads can't end by SIGBUS. */
static int make_index(struct dbos_export *export, const struct draft *draft, int file)
{
	uint64_t size = index_size(draft->count) + draft->copied;
	void *memory;
	int ret;

	if (ftruncate(file, size) < 0 ||
	    fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (memory == MAP_FAILED)
		return -errno;
	ret = fill_index(draft, memory, size);
	if (ret) {
		munmap(memory, size);
		return ret;
	}
	export->index = memory;
	export->info.copied = draft->copied;
	for (uint64_t i = 0; i < draft->count; i++)
		export->info.shared += draft->run[i].file ? draft->run[i].length : 0;
	return 0;
}

/* The importer is not to write there: another opening of the same file. */
static int open_to_read(int file)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int send_files(const struct dbos_export *export, const int *files, unsigned int count)
{
	char byte = 0, control[CMSG_SPACE(INDEX_FILES * sizeof(int))] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *first = CMSG_FIRSTHDR(&message);

	first->cmsg_level = SOL_SOCKET;
	first->cmsg_type = SCM_RIGHTS;
	first->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(first), files, count * sizeof(int));
	while (sendmsg(export->socket, &message, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
	}
	return 0;
}

static int hand_on(const struct dbos_export *export, const struct draft *draft, int index)
{
	int files[INDEX_FILES], ret = 0;
	unsigned int count;

	for (count = 0; count < draft->files; count++) {
		files[count] = open_to_read(count ? draft->region[count]->file : index);
		if (files[count] < 0) {
			ret = -errno;
			break;
		}
	}
	if (!ret)
		ret = send_files(export, files, count);
	while (count > 0)
		close(files[--count]);
	return ret;
}

static int build(struct dbos_export *export)
{
	struct snappy *snappy = export->snap->dbos->snappy;
	struct draft draft = { .export = export, .files = 1 };
	int file = -1, ret;

	ret = snappy_lock(snappy);
	if (ret)
		return ret;
	export->snap->branch.fixed = true;
	ret = snappy_each_page(snappy, &export->snap->branch, add_page, &draft);
	snappy_unlock(snappy);
	if (!ret) {
		file = memfd_create("dbos-export", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		ret = file < 0 ? -errno : make_index(export, &draft, file);
	}
	if (!ret)
		ret = hand_on(export, &draft, file);
	if (ret && export->index)
		munmap(export->index, export->index->size);
	if (file >= 0)
		close(file);
	apart_free(draft.run, size_of(&draft));
	return ret;
}

/* First it is said that nothing there is right any more, then it may be written. */
int dbos_export_end(struct dbos_export *export)
{
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	if (!__atomic_exchange_n(&export->index->taken_back, 1, __ATOMIC_SEQ_CST))
		branch_leave(&export->snap->branch);
	ret = dbos_snap_release(export->snap);
	if (ret)
		return ret;
	munmap(export->index, export->index->size);
	free(export);
	return 0;
}

int dbos_snap_export(struct dbos_snap *snap, int socket, struct dbos_export **out)
{
	struct dbos_export *export = calloc(1, sizeof(*export));
	int ret;

	if (!export)
		return -ENOMEM;
	export->socket = socket;
	ret = dbos_snap_child(snap, 0, &export->snap);
	if (ret)
		goto free;
	if (!branch_enter(&export->snap->branch)) {
		ret = -ESTALE;
		goto release;
	}
	ret = build(export);
	if (!ret) {
		*out = export;
		return 0;
	}
	branch_leave(&export->snap->branch);
release:
	dbos_snap_release(export->snap);
free:
	free(export);
	return ret;
}

void dbos_export_info(const struct dbos_export *export, struct dbos_export_info *info)
{
	*info = export->info;
}

/* There is one thing that an importer says, and it is the last. */
int dbos_export_wait(struct dbos_export *export, int milliseconds)
{
	struct pollfd poll_for = { .fd = export->socket, .events = POLLIN | POLLRDHUP };
	int ret = poll(&poll_for, 1, milliseconds);

	if (ret < 0)
		return -errno;
	return ret ? 0 : -ETIMEDOUT;
}
