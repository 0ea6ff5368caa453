// SPDX-License-Identifier: BSD-2-Clause
/*
 * /proc/self/maps, read and taken apart without libc's allocator or stdio, whose locks the
 * interrupted code may hold.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "compat/compat.h"

#define PATH_SIZE 256

/* Bytes of the file, one by one. */
struct reader {
	int fd;
	long have, at;
	char bytes[4096];
};

/* -1 at the end, or if the file can't be read. */
static int next_byte(struct reader *reader)
{
	if (reader->at == reader->have) {
		reader->at = 0;
		reader->have = compat_syscall(SYS_read, reader->fd, (long)reader->bytes,
					      sizeof(reader->bytes), 0, 0, 0);
		if (reader->have <= 0) {
			reader->have = 0;
			return -1;
		}
	}
	return (unsigned char)reader->bytes[reader->at++];
}

/* A number in hexadecimal, and what ends it. */
static unsigned long number(struct reader *reader)
{
	unsigned long value = 0;

	for (;;) {
		int byte = next_byte(reader);

		if (byte >= '0' && byte <= '9')
			value = value * 16 + byte - '0';
		else if (byte >= 'a' && byte <= 'f')
			value = value * 16 + byte - 'a' + 10;
		else
			return value;
	}
}

static void skip_word(struct reader *reader)
{
	int byte;

	do
		byte = next_byte(reader);
	while (byte != ' ' && byte != -1);
}

/* The rest of the line without the blanks before it. */
static void rest_of_line(struct reader *reader, char *to)
{
	size_t length = 0;
	int byte;

	while ((byte = next_byte(reader)) != '\n' && byte != -1) {
		if ((byte != ' ' || length) && length < PATH_SIZE - 1)
			to[length++] = byte;
	}
	to[length] = '\0';
}

static int type_of(const char *path)
{
	static const struct {
		const char *name;
		int type;
	} special[] = {
		{ "[heap]", PROCMAP_TYPE_HEAP },	 { "[stack", PROCMAP_TYPE_STACK },
		{ "[vsyscall]", PROCMAP_TYPE_VSYSCALL }, { "[vdso]", PROCMAP_TYPE_VDSO },
		{ "[vvar", PROCMAP_TYPE_VVAR },		 { "/", PROCMAP_TYPE_FILE },
	};

	if (!path[0])
		return PROCMAP_TYPE_ANONYMOUS;
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		if (strncmp(path, special[i].name, strlen(special[i].name)) == 0)
			return special[i].type;
	}
	return PROCMAP_TYPE_UNKNOWN;
}

/* begin-end rwxp offset device inode path */
static bool next_entry(struct reader *reader, struct dune_procmap_entry *entry)
{
	entry->begin = number(reader);
	entry->end = number(reader);
	if (!entry->end)
		return false;
	entry->r = next_byte(reader) == 'r';
	entry->w = next_byte(reader) == 'w';
	entry->x = next_byte(reader) == 'x';
	entry->p = next_byte(reader) == 'p';
	skip_word(reader);
	for (int word = 0; word < 3; word++)
		skip_word(reader);
	rest_of_line(reader, entry->path);
	entry->type = type_of(entry->path);
	return true;
}

void dune_procmap_iterate(dune_procmap_cb cb)
{
	struct dune_procmap_entry entry;
	char path[PATH_SIZE];
	struct reader reader = { .have = 0 };

	reader.fd = compat_syscall(SYS_openat, AT_FDCWD, (long)"/proc/self/maps",
				   O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (reader.fd < 0)
		return;
	entry.path = path;
	while (next_entry(&reader, &entry))
		cb(&entry);
	compat_syscall(SYS_close, reader.fd, 0, 0, 0, 0, 0);
}

static void print_entry(const struct dune_procmap_entry *entry)
{
	dune_printf("0x%016lx-0x%016lx %c%c%c%c %s\n", entry->begin, entry->end,
		    entry->r ? 'R' : '-', entry->w ? 'W' : '-', entry->x ? 'X' : '-',
		    entry->p ? 'P' : 'S', entry->path);
}

void dune_procmap_dump(void)
{
	dune_procmap_iterate(print_entry);
}
