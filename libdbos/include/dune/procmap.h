/* SPDX-License-Identifier: BSD-2-Clause */
/* What the process has mapped, as the host tells in /proc/self/maps. */
#ifndef DUNE_PROCMAP_H
#define DUNE_PROCMAP_H

#include <stdbool.h>

#define PROCMAP_TYPE_UNKNOWN   0x00
#define PROCMAP_TYPE_FILE      0x01
#define PROCMAP_TYPE_ANONYMOUS 0x02
#define PROCMAP_TYPE_HEAP      0x03
#define PROCMAP_TYPE_STACK     0x04
#define PROCMAP_TYPE_VSYSCALL  0x05
#define PROCMAP_TYPE_VDSO      0x06
#define PROCMAP_TYPE_VVAR      0x07

struct dune_procmap_entry {
	unsigned long begin, end;
	bool r, w, x;
	bool p;		/* private, not shared */
	char *path;	/* "": none; cut off after 255 bytes; good until the callback ends */
	int type;
};

typedef void (*dune_procmap_cb)(const struct dune_procmap_entry *entry);

/*
 * In rising order. Takes no memory but 5 KiB of stack and one descriptor: handlers may call it. A
 * callback that maps memory may see what it has mapped.
 */
void dune_procmap_iterate(dune_procmap_cb cb);

/* Prints them. */
void dune_procmap_dump(void);

#endif /* DUNE_PROCMAP_H */
