// SPDX-License-Identifier: BSD-2-Clause
/* What `dbos stat` says below the lines of the vCPUs: "name number", or "name 2^i:number ...". */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/stat_items.h"

/* False: the process has ended, or has no such memory. */
static bool read_word(int memory, const struct dbos_stat_item *item, uint32_t i, uint64_t *word)
{
	*word = 0;
	if (item->width > sizeof(*word))
		return false;
	return pread(memory, word, item->width, item->address + (uint64_t)i * item->stride) ==
	       item->width;
}

static uint64_t sum(int memory, const struct dbos_stat_item *item)
{
	uint64_t all = 0, word;

	for (uint32_t i = 0; i < item->count && read_word(memory, item, i, &word); i++)
		all += word;
	return all;
}

static void print_times(int memory, const struct dbos_stat_item *item)
{
	uint64_t word;

	for (uint32_t i = 0; i < item->count && read_word(memory, item, i, &word); i++) {
		if (word)
			printf(" 2^%" PRIu32 ":%" PRIu64, i, word);
	}
}

static bool same_name(const struct dbos_stat_item *a, const struct dbos_stat_item *b)
{
	return strncmp(a->name, b->name, sizeof(a->name)) == 0;
}

void print_items(int memory, const struct dbos_stat *stat)
{
	uint64_t count = stat->item_count < DBOS_STAT_ITEMS ? stat->item_count : DBOS_STAT_ITEMS;

	for (uint64_t i = 0; i < count; i++) {
		const struct dbos_stat_item *item = &stat->item[i];
		uint64_t all = 0;

		printf("%-16.*s", (int)sizeof(item->name), item->name);
		if (item->kind == DBOS_STAT_TIMES) {
			print_times(memory, item);
		} else {
			all = sum(memory, item);
			for (; i + 1 < count && same_name(item, &stat->item[i + 1]); i++)
				all += sum(memory, &stat->item[i + 1]);
			printf(" %" PRIu64, all);
		}
		putchar('\n');
	}
}
