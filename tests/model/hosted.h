/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on pages of views: what sys/pass.c does for them, and what the host does. */
#ifndef HOSTED_H
#define HOSTED_H

#include "views.h"

#define HOST_WORD(slot) (VIEW_WORDS / 2 + (slot))

/* The host stores into HOST_WORD(slot), or looks at all words. */
void hosted_write(unsigned int id, unsigned int slot, unsigned int view, unsigned int page);
void hosted_read(unsigned int id, unsigned int slot, unsigned int view, unsigned int page);

#endif /* HOSTED_H */
