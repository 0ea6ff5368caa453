// SPDX-License-Identifier: BSD-2-Clause
/* Dumps to memory that is no member, and to a file, by the host, from where the records are. */
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stores.h"

static char memory[DUMP_SIZE];

/* What one writev() takes. */
#define PIECES 64

static struct iovec piece[PIECES];
static int pieces;

static void add_to_memory(struct dump *dump, const struct record *record)
{
	check(dump->length + record_size(record) <= DUMP_SIZE, "the dump is too long");
	memcpy(dump->memory + dump->length, record, record_size(record));
	dump->length += record_size(record);
}

static void write_pieces(struct dump *dump)
{
	size_t length = 0;

	for (int i = 0; i < pieces; i++)
		length += piece[i].iov_len;
	check(writev(dump->file, piece, pieces) == (ssize_t)length, "writev");
	dump->length += length;
	pieces = 0;
}

static void add_to_file(struct dump *dump, const struct record *record)
{
	piece[pieces++] = (struct iovec){ (void *)record, record_size(record) };
	if (pieces == PIECES)
		write_pieces(dump);
}

void compare_in_memory(dump_fn *dump_store, const struct heap *heap, const struct model *model,
		       const char *what)
{
	struct dump dump = { .add = add_to_memory, .memory = memory };

	dump_store(heap, &dump);
	model_compare(model, &dump, what);
}

void compare_in_file(dump_fn *dump_store, const struct heap *heap, const struct model *model,
		     const char *what)
{
	struct dump dump = { .add = add_to_file, .memory = memory };

	dump.file = memfd_create("dump", 0);
	check(dump.file >= 0, "memfd_create");
	dump_store(heap, &dump);
	if (pieces)
		write_pieces(&dump);
	check(dump.length <= DUMP_SIZE &&
	      pread(dump.file, memory, DUMP_SIZE, 0) == (ssize_t)dump.length, "the dump's file");
	close(dump.file);
	model_compare(model, &dump, what);
}
