/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An exporter, which is inside, and the process that started it, which never is and imports. What
 * a page holds is told by its number and its generation, so neither needs the other to know it.
 */
#ifndef EXPORTS_H
#define EXPORTS_H

#include <stdint.h>
#include <sys/types.h>

#include <dbos/dbos.h>
#include <dbos/export.h>

#include "check.h"

#define PAGE  DBOS_PAGE_SIZE
#define PAGES 1024ul		/* two ranges of 2 MiB */
#define WORDS (PAGE / sizeof(uint64_t))
#define BASE  0x100000000000ull	/* of the member */

/* Seconds for what the kernel tells at once: a process of the other side that ends. */
#define SOON 10

struct exporter {
	pid_t pid;
	int socket;		/* the lease */
	int told, tell;		/* pipes, beside it */
};

/* Runs @act in a process of its own; its member, of @flags, has generation 1. */
struct exporter start_exporter(void (*act)(const struct exporter *self), unsigned int flags);

/* It has ended with status 0, or, if @killed, by SIGKILL. */
void end_exporter(struct exporter *exporter, bool killed);

void tell(const struct exporter *other);
void wait_until_told(const struct exporter *other);

uint64_t word_in(unsigned long page, uint64_t generation);
void write_page(unsigned long page, uint64_t generation);

/* Of the exporter's process. */
struct dbos_export *export_as_it_is(const struct exporter *self);

void what_is_no_export_is_refused(void);

#endif /* EXPORTS_H */
