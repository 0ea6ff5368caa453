/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Futexes on memory that is copied for who writes it (members of snapshots).
 *
 * The kernel knows a waiter by the host's address of its word. That is where the word is as long as
 * the waiter's call is under way: it is noted as one that writes there (mm/inflight.h), so the page
 * is the branch's alone and stays at its frame, whatever is cut. So waiting and waking work within
 * one branch. Branches have frames of their own, so their words are different futexes.
 *
 * That note is of the word that the call began with. So a waiter can't be moved to a word of such
 * memory, and words that calls find behind a pointer can't be there.
 */
#ifndef DBOS_FUTEXES_H
#define DBOS_FUTEXES_H

#include "sys/guest_memory.h"

/* The call is not to be made. From the run loop, for any call; @given: its arguments. */
bool futex_refused(const struct guest_memory *memory, uint64_t number, const uint64_t *given);

#endif /* DBOS_FUTEXES_H */
