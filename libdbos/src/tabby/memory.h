/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_TABBY_MEMORY_H
#define DBOS_TABBY_MEMORY_H

#include "tabby/tabby.h"

/* Zero, at a multiple of 2 MiB, not there before it is touched. NULL: no addresses. */
void *tabby_map(size_t size);
void tabby_unmap(void *memory, size_t size);
void tabby_use_huge_pages(void *memory, size_t size);

#endif /* DBOS_TABBY_MEMORY_H */
