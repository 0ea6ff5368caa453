// SPDX-License-Identifier: BSD-2-Clause
#include <linux/futex.h>
#include <sys/syscall.h>

#include "dbos_internal.h"
#include "sys/futexes.h"

/* Linux 5.16 and 6.7; older headers have none of them. */
#define CALL_FUTEX_WAITV   449
#define CALL_FUTEX_REQUEUE 456

/* struct futex_waitv */
struct waiter {
	uint64_t value, address;
	uint32_t flags, reserved;
};

#define WAITERS 128		/* FUTEX_WAITV_MAX */

static bool requeues(uint64_t operation)
{
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_CMP_REQUEUE_PI:
		return true;
	default:
		return false;
	}
}

/* Pages beside a member's, in its 2 MiB, stay where they are. */
static bool is_members(const struct guest_memory *memory, uint64_t va)
{
	const struct inflights *inflights = &memory->dbos->inflights;

	return inflights->owns && inflights->owns(inflights->arg, va, sizeof(uint32_t));
}

/* Lists that can't be read are the kernel's to refuse. */
static bool any_is_members(const struct guest_memory *memory, uint64_t va, uint64_t count)
{
	for (uint64_t i = 0; i < count && i < WAITERS; i++, va += sizeof(struct waiter)) {
		struct waiter waiter;

		if (guest_read(memory, va, &waiter, sizeof(waiter)) < 0)
			return false;
		if (is_members(memory, waiter.address))
			return true;
	}
	return false;
}

bool futex_refused(const struct guest_memory *memory, uint64_t number, const uint64_t *given)
{
	switch (number) {
	case SYS_futex:
		return requeues(given[1]) && is_members(memory, given[4]);
	case CALL_FUTEX_WAITV:
		return any_is_members(memory, given[0], given[1]);
	case CALL_FUTEX_REQUEUE:
		return any_is_members(memory, given[0], 2);
	default:
		return false;
	}
}
