/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of sendmsg(2) and its like for the host: headers whose every pointer is the process's.
 *
 * Headers and vectors are copied; so are names and control data that are not contiguous for the
 * host. Of what is sent or received pieces are made. All of it is noted as in use (mm/inflight.h),
 * and what the kernel writes is noted as written, with the headers. What it has left in these goes
 * back behind the call.
 */
#ifndef DBOS_MESSAGES_H
#define DBOS_MESSAGES_H

#include <limits.h>
#include <sys/socket.h>

#include "sys/guest_memory.h"

#define MESSAGES_COPIES 32768

/* All zero at first; of which little is touched for few messages. */
struct messages {
	uint64_t va, stride;		/* of the guest's headers */
	uint64_t count;			/* that the kernel is to look at */
	bool receives, counted;		/* counted: of struct mmsghdr */
	size_t used, copied;
	struct mmsghdr host[IOV_MAX];
	struct msghdr given[IOV_MAX];
	struct iovec vector[IOV_MAX], pieces[IOV_MAX];
	char copies[MESSAGES_COPIES];
};

/*
 * For a struct msghdr at ->va or, if ->counted, ->count struct mmsghdr: ->host is what the kernel
 * is to be given, and ->count how many. Fewer than there were, if there is something wrong with
 * another one than the first, or no room. -EMSGSIZE: more than IOV_MAX pieces; -ENOBUFS: too much
 * control data, and scattered.
 */
long messages_use(struct messages *messages, const struct guest_memory *memory, bool receives);

/* Behind the call, which has returned @ret; returns what the guest is told. */
long messages_give_back(const struct messages *messages, const struct guest_memory *memory,
			long ret);

#endif /* DBOS_MESSAGES_H */
