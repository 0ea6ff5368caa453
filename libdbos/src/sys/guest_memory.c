// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sys/syscall.h>

#include "hv/host_syscall.h"
#include "mm/reach.h"
#include "sys/guest_memory.h"

/* Of what is copied: BOUNCE_SIZE in pass.c, at any offset in a page. */
#define COPY_PIECES 10

#define STRING_STEP 256

static long refuse(const struct guest_memory *memory, uint64_t va, bool write)
{
	if (!memory->fault->happened)
		*memory->fault = (struct pass_fault){ va, true, write };
	return -EFAULT;
}

long guest_pieces(const struct guest_memory *memory, uint64_t va, uint64_t length, bool write,
		  struct iovec *pieces, size_t max)
{
	struct reach to;
	size_t count = 0;

	for (; length && count < max; va += to.length, length -= to.length) {
		if (!reach_find(memory->dbos, va, length, write, &to))
			return refuse(memory, va, write);
		pieces[count++] = (struct iovec){ (void *)to.host, to.length };
	}
	return count;
}

static long copy(const struct guest_memory *memory, uint64_t va, void *here, uint64_t length,
		 bool write)
{
	struct iovec pieces[COPY_PIECES], local = { here, length };
	long count = guest_pieces(memory, va, length, write, pieces, COPY_PIECES);
	long pid;

	if (count <= 0)
		return count;
	pid = host_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
	if (host_syscall(write ? SYS_process_vm_writev : SYS_process_vm_readv, pid, (long)&local, 1,
			 (long)pieces, count, 0) != (long)length)
		return -EFAULT;
	return 0;
}

long guest_read(const struct guest_memory *memory, uint64_t va, void *to, uint64_t length)
{
	return copy(memory, va, to, length, false);
}

long guest_write(const struct guest_memory *memory, uint64_t va, const void *from, uint64_t length)
{
	return copy(memory, va, (void *)from, length, true);
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

bool guest_plain(const struct guest_memory *memory, uint64_t va, uint64_t length)
{
	struct reach to;

	return !length || (reach_find(memory->dbos, va, length, false, &to) && to.host == va &&
			   to.length == length);
}
