// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sys/syscall.h>

#include "hv/host_syscall.h"
#include "mm/reach.h"
#include "sys/guest_memory.h"

/* Looked up at once. More of them go in several steps. */
#define STEP_PIECES 16

#define STRING_STEP 256

static long refuse(const struct guest_memory *memory, uint64_t va, uint64_t length, bool write)
{
	if (!memory->fault->happened)
		*memory->fault = (struct pass_fault){ va, length, true, write };
	return -EFAULT;
}

long guest_pieces(const struct guest_memory *memory, uint64_t va, uint64_t length, bool write,
		  struct iovec *pieces, size_t max)
{
	struct reach to;
	size_t count = 0;

	for (; length && count < max; va += to.length, length -= to.length) {
		if (!reach_find(memory->dbos, memory->root, va, length, write, &to))
			return refuse(memory, va, length, write);
		pieces[count++] = (struct iovec){ (void *)to.host, to.length };
	}
	return count;
}

static uint64_t length_of(const struct iovec *pieces, uint64_t count)
{
	uint64_t length = 0;

	for (uint64_t i = 0; i < count; i++)
		length += pieces[i].iov_len;
	return length;
}

/* @refusing: the guest's table may refuse to write there. */
static long copy(const struct guest_memory *memory, uint64_t va, char *here, uint64_t length,
		 bool write, bool refusing)
{
	long number = write ? SYS_process_vm_writev : SYS_process_vm_readv;
	long pid = host_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
	struct iovec pieces[STEP_PIECES], local = { here, 0 };

	for (uint64_t done = 0; done < length; done += local.iov_len) {
		long count = guest_pieces(memory, va + done, length - done, write && refusing,
					  pieces, STEP_PIECES);

		if (count < 0)
			return count;
		local = (struct iovec){ here + done, length_of(pieces, count) };
		if (host_syscall(number, pid, (long)&local, 1, (long)pieces, count, 0) !=
		    (long)local.iov_len)
			return -EFAULT;
	}
	return 0;
}

long guest_read(const struct guest_memory *memory, uint64_t va, void *to, uint64_t length)
{
	return copy(memory, va, to, length, false, true);
}

long guest_write(const struct guest_memory *memory, uint64_t va, const void *from, uint64_t length)
{
	return copy(memory, va, (void *)from, length, true, true);
}

long guest_write_back(const struct guest_memory *memory, uint64_t va, const void *from,
		      uint64_t length)
{
	return copy(memory, va, (void *)from, length, true,
		    !guest_copies(memory->dbos, va, length));
}

bool guest_copies(const struct dbos *dbos, uint64_t va, uint64_t length)
{
	const struct inflights *inflights = &dbos->inflights;

	return inflights->moves && inflights->moves(inflights->arg, va, length);
}

long guest_note(const struct guest_memory *memory, uint64_t va, const struct iovec *pieces,
		uint64_t count, bool write)
{
	/* Other memory stays where it is. */
	if (!memory->inflight || !guest_copies(memory->dbos, va, length_of(pieces, count)))
		return 0;
	for (uint64_t i = 0; i < count; i++) {
		const struct inflight_piece piece = {
			.va = va, .host = (uint64_t)pieces[i].iov_base,
			.length = pieces[i].iov_len, .write = write,
		};

		if (!inflight_add(memory->inflight, &piece))
			return -ENOMEM;
		va += piece.length;
	}
	return 0;
}

long guest_note_written(const struct guest_memory *memory, uint64_t va, uint64_t length)
{
	struct iovec pieces[STEP_PIECES];

	while (length) {
		long count = guest_pieces(memory, va, length, true, pieces, STEP_PIECES);
		uint64_t step;

		if (count < 0)
			return count;
		if (guest_note(memory, va, pieces, count, true) < 0)
			return -ENOMEM;
		step = length_of(pieces, count);
		va += step;
		length -= step;
	}
	return 0;
}

long guest_string(const struct guest_memory *memory, uint64_t va, uint64_t max)
{
	char part[STRING_STEP];

	for (uint64_t done = 0; done < max;) {
		/* Never over the end of a page, of which the next one may not be there. */
		uint64_t step = STRING_STEP - (va + done) % STRING_STEP;

		if (guest_read(memory, va + done, part, step) < 0)
			return -EFAULT;
		for (uint64_t i = 0; i < step; i++) {
			if (!part[i])
				return done + i + 1;
		}
		done += step;
	}
	return -EFAULT;
}

bool guest_plain(const struct guest_memory *memory, uint64_t va, uint64_t length, bool write)
{
	const struct iovec piece = { (void *)va, length };
	uint64_t left = length;
	struct reach to;
	bool plain = true;

	for (; left; va += to.length, left -= to.length) {
		if (!reach_find(memory->dbos, memory->root, va, left, write, &to)) {
			refuse(memory, va, left, write);
			return false;
		}
		plain &= to.host == va;
	}
	return plain && guest_note(memory, (uint64_t)piece.iov_base, &piece, 1, write) == 0;
}
