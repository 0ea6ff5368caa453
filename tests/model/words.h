/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest's code does with the words of views: each vCPU writes one of its own in a page. */
#ifndef WORDS_H
#define WORDS_H

#include "hosted.h"
#include "views.h"

struct who {
	unsigned int slot;		/* its word; the host writes HOST_WORD(slot) for it */
	unsigned int id, view;
};

/* Often it says that the value is to be seen by everybody from now on. */
void word_write(const struct who *who, unsigned int page);

/* Any word. One's own are as one has left them. */
void word_read(const struct who *who, unsigned int page);

#endif /* WORDS_H */
