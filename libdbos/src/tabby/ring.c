// SPDX-License-Identifier: BSD-2-Clause
/*
 * io_uring, one for each slot, made when it is first needed: a batch is one system call, and so one
 * exit. io_uring(7), and the layout of its rings: <linux/io_uring.h>.
 */
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tabby/files.h"
#include "tabby/memory.h"

struct tabby_ring {
	int fd;
	char *rings;			/* both, in one mapping (IORING_FEAT_SINGLE_MMAP) */
	size_t rings_size;
	struct io_uring_sqe *entries;
	struct io_uring_params params;
};

#define ENTRIES_SIZE (TABBY_BATCH * sizeof(struct io_uring_sqe))

static uint32_t *at(const struct tabby_ring *ring, uint32_t offset)
{
	return (uint32_t *)(ring->rings + offset);
}

static void destroy(struct tabby_ring *ring)
{
	if (ring->rings)
		munmap(ring->rings, ring->rings_size);
	if (ring->entries)
		munmap(ring->entries, ENTRIES_SIZE);
	if (ring->fd >= 0)
		close(ring->fd);
	tabby_unmap(ring, sizeof(*ring));
}

static void *map(const struct tabby_ring *ring, size_t size, uint64_t offset)
{
	void *got = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
			 offset);

	return got == MAP_FAILED ? NULL : got;
}

/* NULL: the kernel has none, or none of 5.4's kind, or does not let us. */
static struct tabby_ring *create(void)
{
	struct tabby_ring *ring = tabby_map(sizeof(*ring));
	size_t submission, completion;

	if (!ring)
		return NULL;
	ring->fd = syscall(SYS_io_uring_setup, TABBY_BATCH, &ring->params);
	if (ring->fd < 0 || !(ring->params.features & IORING_FEAT_SINGLE_MMAP))
		goto destroy;
	submission = ring->params.sq_off.array + ring->params.sq_entries * sizeof(uint32_t);
	completion = ring->params.cq_off.cqes +
		     ring->params.cq_entries * sizeof(struct io_uring_cqe);
	ring->rings_size = submission > completion ? submission : completion;
	ring->rings = map(ring, ring->rings_size, IORING_OFF_SQ_RING);
	ring->entries = map(ring, ENTRIES_SIZE, IORING_OFF_SQES);
	if (ring->rings && ring->entries)
		return ring;
destroy:
	destroy(ring);
	return NULL;
}

static void submit(struct tabby *tabby, struct tabby_ring *ring,
		   const struct dbos_pool_transfer *transfers, size_t count)
{
	uint32_t *tail = at(ring, ring->params.sq_off.tail);
	uint32_t mask = *at(ring, ring->params.sq_off.ring_mask);

	for (size_t i = 0; i < count; i++) {
		uint32_t place = (*tail + i) & mask;
		uint64_t offset;
		int file = tabby_file_of(tabby, transfers[i].page, &offset);

		ring->entries[place] = (struct io_uring_sqe){
			.opcode = transfers[i].write ? IORING_OP_WRITE : IORING_OP_READ,
			.fd = file, .off = offset, .addr = (uint64_t)transfers[i].memory,
			.len = DBOS_PAGE_SIZE, .user_data = i,
		};
		at(ring, ring->params.sq_off.array)[place] = place;
	}
	__atomic_store_n(tail, *tail + count, __ATOMIC_RELEASE);
}

static size_t collect(struct tabby_ring *ring, struct dbos_pool_transfer *transfers)
{
	const struct io_uring_cqe *done = (void *)(ring->rings + ring->params.cq_off.cqes);
	uint32_t *head = at(ring, ring->params.cq_off.head);
	uint32_t tail = __atomic_load_n(at(ring, ring->params.cq_off.tail), __ATOMIC_ACQUIRE);
	uint32_t mask = *at(ring, ring->params.cq_off.ring_mask);
	size_t count = tail - *head;

	for (uint32_t i = *head; i != tail; i++)
		transfers[done[i & mask].user_data].result = done[i & mask].res;
	__atomic_store_n(head, tail, __ATOMIC_RELEASE);
	return count;
}

static bool is_passing(int error)
{
	return error == EINTR || error == EAGAIN || error == EBUSY;
}

/*
 * What was submitted must end before the frames are anybody else's, so then all errors of the call
 * itself are waited out. False: the kernel does not let us, and has taken nothing.
 */
static bool run(struct tabby *tabby, struct tabby_ring *ring,
		struct dbos_pool_transfer *transfers, size_t count)
{
	size_t submitted = 0, ended = 0;

	submit(tabby, ring, transfers, count);
	while (ended < count) {
		long ret = syscall(SYS_io_uring_enter, ring->fd, count - submitted, count - ended,
				   IORING_ENTER_GETEVENTS, NULL, 0);

		if (ret > 0)
			submitted += ret;
		else if (ret < 0 && !submitted && !is_passing(errno))
			return false;
		ended += collect(ring, transfers);
	}
	return true;
}

/* The caller has the slot's ring. */
static bool run_own(struct tabby *tabby, struct tabby_slot *slot,
		    struct dbos_pool_transfer *transfers, size_t count)
{
	if (!slot->ring && !slot->ring_refused) {
		slot->ring = create();
		slot->ring_refused = !slot->ring;
	}
	if (!slot->ring || count > slot->ring->params.sq_entries)
		return false;
	if (run(tabby, slot->ring, transfers, count))
		return true;
	destroy(slot->ring);
	slot->ring = NULL;
	slot->ring_refused = true;
	return false;
}

bool tabby_ring_transfer(struct tabby *tabby, struct dbos_pool_transfer *transfers, size_t count)
{
	struct tabby_slot *slot = tabby_slot(tabby);
	uint64_t nobody = 0;
	bool did;

	if (!machine_cas(&slot->ring_taken, &nobody, 1))
		return false;
	did = run_own(tabby, slot, transfers, count);
	machine_store(&slot->ring_taken, 0);
	return did;
}

void tabby_rings_close(struct tabby *tabby)
{
	for (unsigned int i = 0; i < TABBY_SLOTS; i++) {
		if (tabby->slot[i].ring)
			destroy(tabby->slot[i].ring);
	}
}
