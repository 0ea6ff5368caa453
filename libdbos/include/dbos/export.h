/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots for another process (<dbos/snapshot.h> has what snapshots are). Over a connected socket
 * of the Unix domain the exporter hands on what a snapshot has, and goes on; the importer, which
 * needs no privilege and no dbos_init(), reads it for as long as it likes.
 *
 * Pages in memory of regions that are SHARED (members, or lent) are not copied: the importer maps
 * the files that they are of, read-only. Others are copied once. So a program that exports gives
 * its members that flag, and lends one more such region to have copies made there.
 *
 * The socket is the lease. If either process ends, however, the kernel closes its end: the other
 * learns of it here, and nothing waits for the dead. An importer should have no other descriptor of
 * the exporter's end, nor its child one, for that would hide the end. What an exporter that is gone
 * has handed on stays as it was: nobody is left to write it.
 */
#ifndef DBOS_EXPORT_H
#define DBOS_EXPORT_H

#include <stddef.h>
#include <stdint.h>

#include <dbos/region.h>
#include <dbos/snapshot.h>

/*
 * Copies of members' pages are made in this region's memory from now on, before they are made in
 * frames of libdbos's. It must be a created one, and WRITABLE (-EINVAL), and nobody may use it any
 * more. -EEXIST: it is a member or lent; -ENOSPC: 1023 of these; -ENOMEM. Callable as what is in
 * <dbos/snapshot.h>.
 */
int dbos_snap_lend(struct dbos *dbos, struct dbos_region *region);

struct dbos_export;

/*
 * Hands on what @snap has now; later writes on it are not seen, and it may be released. Does not
 * wait for the importer to take it. -EPIPE: the importer is gone; -EMFILE, -ENOMEM, and what
 * sendmsg() says. @socket stays the caller's, who must not use or close it before the end below.
 */
int dbos_snap_export(struct dbos_snap *snap, int socket, struct dbos_export **export);

/* Bytes that the importer has without a copy, and with one. */
struct dbos_export_info {
	uint64_t shared, copied;
};

void dbos_export_info(const struct dbos_export *export, struct dbos_export_info *info);

/* Until the importer is done with it, or is gone: 0. -ETIMEDOUT; -1 milliseconds: no limit. */
int dbos_export_wait(struct dbos_export *export, int milliseconds);

/* Takes it back, whether or not the importer is done: what it reads from then on is -ESTALE. */
int dbos_export_end(struct dbos_export *export);

/*
 * The importer's side; all of it may be called by any thread of any process, one at a time for each
 * import.
 */
struct dbos_import;

/*
 * Waits for an export and maps it. -EOWNERDEAD: the exporter is gone, or has closed; -EPROTO: what
 * came is no export; -EMFILE, -ENOMEM. @socket stays the caller's, as above.
 */
int dbos_snap_import(int socket, struct dbos_import **import);

/* -EFAULT: not all of it is in the snapshot; -ESTALE: taken back, and @to has anything. */
int dbos_import_read(struct dbos_import *import, const void *va, void *to, size_t length);

/*
 * Where what the exporter had at @va is in this process, read-only, and how many bytes follow it
 * there. NULL: not in the snapshot. Whoever has read there asks dbos_import_check() afterwards if
 * it was still the snapshot's.
 */
const void *dbos_import_find(const struct dbos_import *import, const void *va, size_t *length);

/* 0; -ESTALE: it was taken back; -EOWNERDEAD: the exporter is gone. Does not wait. */
int dbos_import_check(struct dbos_import *import);

/* Unmaps it, and tells the exporter that it is done. */
void dbos_import_end(struct dbos_import *import);

#endif /* DBOS_EXPORT_H */
