/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the words of each view of memory have been: the oracle of snapshots, in arrays of its own.
 * Views are the process's memory and its snapshots. Every word has one writer in each view, and
 * values are handed out by rising number.
 */
#ifndef VERSIONS_H
#define VERSIONS_H

#include <stdbool.h>
#include <stdint.h>

#define VIEWS	   10	/* 0 is the process's own */
#define VIEW_PAGES 5
#define VIEW_WORDS 8

void versions_reset(void);

/* A value that nothing has had yet. */
uint64_t versions_new_value(void);

/* Of a store of the guest: now. */
void versions_written(unsigned int view, unsigned int page, unsigned int word, uint64_t value);

/*
 * Of a system call that stores @value: a cut while it is under way may have it or not. begin() says
 * that it is under way, stored() that the host has stored.
 */
void versions_call_begins(unsigned int view, unsigned int page, unsigned int word, uint64_t value);
void versions_call_stored(unsigned int view, unsigned int page, unsigned int word);

/* The last value. */
uint64_t versions_now(unsigned int view, unsigned int page, unsigned int word);

/* Everybody who reads from now on sees @value or a later one. */
void versions_publish(unsigned int view, unsigned int page, unsigned int word, uint64_t value);
uint64_t versions_least(unsigned int view, unsigned int page, unsigned int word);

/* Fails if a reader of @view may not see @value, where it must see @least or later. */
void versions_check(unsigned int view, unsigned int page, unsigned int word, uint64_t value,
		    uint64_t least);

/*
 * @child holds what @value says of all words: fails if there was no one moment between @began and
 * now in which @parent held that. From here on that is what @child has.
 */
void versions_cut(unsigned int parent, unsigned int child, uint64_t began,
		  const uint64_t value[VIEW_PAGES][VIEW_WORDS]);

#endif /* VERSIONS_H */
