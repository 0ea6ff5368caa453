/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A leaf of 2 MiB over DATA_GPA, which vCPUs of T4 split, edit and collapse, and whose translations
 * stay the same. Of three of its pages the words at the beginning are watched.
 */
#ifndef LARGE_H
#define LARGE_H

#include <stdbool.h>
#include <stdint.h>

#define LARGE_BASE 0x80000000ull

/* Of pages and frames, in words; of these SCRAP / 8 is for whoever writes there. */
#define LOOKED_AT 8
#define SCRAP	  8

/*
 * The pages hold their numbers, and @any_token. In some schedules vCPUs enter there. @scarce: there
 * may be no frame for a table.
 */
void large_begin(uint64_t any_token, bool scarce);

/* Operations of a vCPU. */
void large_look(void);
void large_write(void);
void large_split(void);
void large_edit(void);		/* as a range, some of it */

/* When all is over: nothing was lost, no flag and no word. */
void large_check(void);

#endif /* LARGE_H */
