// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "hv/host_syscall.h"
#include "mm/reach.h"
#include "sys/futexes.h"
#include "sys/guest_memory.h"
#include "sys/interruptible.h"
#include "sys/messages.h"
#include "sys/nested.h"

/*
 * Of scattered memory, for calls that have no form with a list: what a server asks of epoll_wait()
 * or poll() for its 50,000 clients. struct space stays below 2 MiB, so that of its pages only those
 * are made that are used.
 */
#define BOUNCE_SIZE (1024 * 1024)

/* The kernel moves no more at once (MAX_RW_COUNT). */
#define LENGTH_MAX 0x7ffff000ull

/*
 * Mapped for the one call that needs it: too large for the run loop's stack, on which signal
 * handlers run too.
 */
struct space {
	struct iovec given[IOV_MAX], pieces[IOV_MAX];
	struct inflight_piece notes[IOV_MAX];
	struct messages messages;
	char bounce[BOUNCE_SIZE];
};

/* Bytes that the host finds in space->bounce, which go back to the guest. */
struct bounced {
	uint64_t va, length;
	char *copy;
};

struct pass {
	struct vcpu *vcpu;
	struct guest_memory memory;
	const struct syscall_info *call;
	const uint64_t *given;
	uint64_t number, arguments[SYSCALL_ARGUMENTS];
	struct space *space;
	uint64_t bounce_used;
	unsigned int bounced_count;
	struct messages *messages;	/* NULL: it is no such call, or has none */
	/* Not cleared: most calls have none. */
	struct bounced bounced[SYSCALL_ARGUMENTS];
};

static bool make_space(struct pass *pass)
{
	long address;

	if (pass->space)
		return true;
	address = host_syscall(SYS_mmap, 0, sizeof(struct space), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (address < 0 && address > -4096)
		return false;
	pass->space = (struct space *)address;
	inflight_make_room(pass->memory.inflight, pass->space->notes, IOV_MAX);
	return true;
}

/* The call on one buffer becomes the one on a list of pieces. */
static bool becomes_vector(struct pass *pass, unsigned int i, uint64_t length, bool write)
{
	static const uint16_t vector_of[][2] = {
		{ SYS_read, SYS_readv }, { SYS_write, SYS_writev },
		{ SYS_pread64, SYS_preadv }, { SYS_pwrite64, SYS_pwritev },
	};
	long count;

	for (size_t k = 0; k < sizeof(vector_of) / sizeof(vector_of[0]); k++) {
		if (pass->number != vector_of[k][0])
			continue;
		count = guest_pieces(&pass->memory, pass->given[i], length, write,
				     pass->space->pieces, IOV_MAX);
		if (count < 0 || guest_note(&pass->memory, pass->given[i], pass->space->pieces,
					    count, write) < 0)
			return false;
		pass->number = vector_of[k][1];
		pass->arguments[i] = (uint64_t)pass->space->pieces;
		pass->arguments[i + 1] = count;
		return true;
	}
	return false;
}

/* What is written behind the call is noted before it, as if the host wrote there. */
static long bounce(struct pass *pass, unsigned int i, uint64_t length, bool write)
{
	char *copy;
	long ret;

	if (length > BOUNCE_SIZE - pass->bounce_used)
		return -EFAULT;
	ret = write ? guest_note_written(&pass->memory, pass->given[i], length) : 0;
	if (ret < 0)
		return ret;
	copy = pass->space->bounce + pass->bounce_used;
	/* Also what is only written: the kernel may write less of it. */
	if (guest_read(&pass->memory, pass->given[i], copy, length) < 0)
		return -EFAULT;
	if (write)
		pass->bounced[pass->bounced_count++] =
			(struct bounced){ pass->given[i], length, copy };
	pass->bounce_used += (length + 15) & ~15ull;
	pass->arguments[i] = (uint64_t)copy;
	return 0;
}

/* All of it is in one piece. */
static bool find_whole(const struct pass *pass, unsigned int i, uint64_t length, bool write,
		       struct iovec *whole)
{
	const struct guest_memory *memory = &pass->memory;
	struct reach to;

	if (!reach_find(memory->dbos, memory->root, pass->given[i], length, write, &to))
		return false;
	*whole = (struct iovec){ (void *)to.host, length };
	return to.length == length;
}

static long use_memory(struct pass *pass, unsigned int i, uint64_t length, bool write)
{
	struct iovec whole;

	if (length > LENGTH_MAX)
		length = LENGTH_MAX;
	if (!length)
		return 0;
	if (find_whole(pass, i, length, write, &whole)) {
		pass->arguments[i] = (uint64_t)whole.iov_base;
		return guest_note(&pass->memory, pass->given[i], &whole, 1, write);
	}
	/* Scattered, or refused: then guest_pieces() finds out where. */
	if (!make_space(pass))
		return -ENOMEM;
	if (becomes_vector(pass, i, length, write))
		return 0;
	if (pass->memory.fault->happened)
		return -EFAULT;
	return bounce(pass, i, length, write);
}

/* Each element is looked up, and becomes several where it is scattered. */
static long use_iovec(struct pass *pass, unsigned int i, unsigned int count_of, bool write)
{
	uint64_t count = pass->given[count_of];
	size_t used = 0;

	if (count == 0 || count > IOV_MAX)
		return 0;	/* the kernel has an error for it */
	if (!make_space(pass))
		return -ENOMEM;
	if (guest_read(&pass->memory, pass->given[i], pass->space->given,
		       count * sizeof(struct iovec)) < 0)
		return -EFAULT;
	for (uint64_t k = 0; k < count; k++) {
		const struct iovec *given = &pass->space->given[k];
		long pieces;

		/* A list that has become too long is cut off: as with any short read or write. */
		if (used == IOV_MAX)
			break;
		if (given->iov_len > LENGTH_MAX)
			return -EINVAL;
		pieces = guest_pieces(&pass->memory, (uint64_t)given->iov_base, given->iov_len,
				      write, pass->space->pieces + used, IOV_MAX - used);
		if (pieces < 0)
			return pieces;
		if (guest_note(&pass->memory, (uint64_t)given->iov_base,
			       pass->space->pieces + used, pieces, write) < 0)
			return -ENOMEM;
		used += pieces;
	}
	pass->arguments[i] = (uint64_t)pass->space->pieces;
	pass->arguments[count_of] = used;
	return 0;
}

static long use_string(struct pass *pass, unsigned int i)
{
	long length = guest_string(&pass->memory, pass->given[i], BOUNCE_SIZE);

	/* Nothing there: the kernel has an error for that, too. */
	if (length < 0)
		return pass->memory.fault->happened ? -EFAULT : use_memory(pass, i, 1, false);
	return use_memory(pass, i, length, false);
}

/*
 * Of whatever length: right as far as its page goes, and a value if nothing is there. Memory that
 * is copied for who writes it counts as written.
 */
static long use_any(struct pass *pass, unsigned int i)
{
	bool copies = guest_copies(pass->memory.dbos, pass->given[i], 1);
	struct iovec piece;

	if (copies && find_whole(pass, i, 1, false, &piece) &&
	    guest_pieces(&pass->memory, pass->given[i], 1, true, &piece, 1) < 0)
		return -EFAULT;
	if (!find_whole(pass, i, 1, false, &piece))
		return 0;
	pass->arguments[i] = (uint64_t)piece.iov_base;
	piece.iov_len = DBOS_PAGE_SIZE - pass->given[i] % DBOS_PAGE_SIZE;
	return guest_note(&pass->memory, pass->given[i], &piece, 1, copies);
}

static bool receives(const struct pass *pass)
{
	return pass->number == SYS_recvmsg || pass->number == SYS_recvmmsg;
}

/* @count_of: the argument that says how many; 0: it is one, without a length behind it. */
static long use_messages(struct pass *pass, unsigned int i, unsigned int count_of)
{
	struct messages *messages;
	long ret;

	if (!make_space(pass))
		return -ENOMEM;
	messages = &pass->space->messages;
	messages->va = pass->given[i];
	messages->counted = count_of;
	messages->count = pass->given[count_of];
	if (count_of && !(uint32_t)messages->count)
		return 0;
	ret = messages_use(messages, &pass->memory, receives(pass));
	if (ret)
		return ret;
	pass->messages = messages;
	pass->arguments[i] = (uint64_t)messages->host;
	if (count_of)
		pass->arguments[count_of] = messages->count;
	return 0;
}

static long use_pointer(struct pass *pass, unsigned int i)
{
	const struct argument *argument = &pass->call->arguments[i];
	uint64_t count = pass->given[argument->count];
	int bytes;

	switch (argument->kind) {
	case ARGUMENT_MEMORY:
		if (!argument->counted)
			count = 1;
		if (count > LENGTH_MAX)
			count = LENGTH_MAX;
		return use_memory(pass, i, argument->unit * count, argument->out);
	case ARGUMENT_BITS:
		if (count > BOUNCE_SIZE)
			count = BOUNCE_SIZE;
		return use_memory(pass, i, (count + 63) / 64 * 8, argument->out);
	case ARGUMENT_MEMORY_AT:
		if (!count)
			return 0;
		if (guest_read(&pass->memory, count, &bytes, sizeof(bytes)) < 0)
			return -EFAULT;
		return use_memory(pass, i, bytes < 0 ? 0 : bytes, true);
	case ARGUMENT_STRING:
		return use_string(pass, i);
	case ARGUMENT_IOVEC:
		return use_iovec(pass, i, argument->count, argument->out);
	case ARGUMENT_STRINGS:
		if (!make_space(pass))
			return -ENOMEM;
		return nested_strings(&pass->memory, pass->given[i]);
	case ARGUMENT_MESSAGE:
		return use_messages(pass, i, 0);
	case ARGUMENT_MESSAGES:
		return use_messages(pass, i, argument->count);
	case ARGUMENT_ANY:
		return use_any(pass, i);
	default:
		return 0;
	}
}

static bool is_followed(const struct syscall_info *call, const uint64_t *given, unsigned int i)
{
	return call->arguments[i].kind > ARGUMENT_ADDRESS && given[i];
}

/* Others, as close() or epoll_ctl(EPOLL_CTL_DEL, NULL), have nothing to be looked up. */
static bool follows_any(const struct syscall_info *call, const uint64_t *given)
{
	for (unsigned int i = 0; i < SYSCALL_ARGUMENTS; i++) {
		if (is_followed(call, given, i))
			return true;
	}
	return false;
}

static long make(const struct pass *pass)
{
	return call_interruptible(pass->vcpu, pass->number, pass->arguments);
}

static long give_back(struct pass *pass, long ret)
{
	if (pass->messages)
		ret = messages_give_back(pass->messages, &pass->memory, ret);
	for (unsigned int i = 0; i < pass->bounced_count; i++) {
		const struct bounced *bounced = &pass->bounced[i];

		if (guest_write_back(&pass->memory, bounced->va, bounced->copy,
				     bounced->length) < 0)
			ret = -EFAULT;
	}
	return ret;
}

static uint64_t inflight_root(const struct pass *pass)
{
	return pass->memory.root ? pass->memory.root : pass->vcpu->dbos->table.root;
}

/* Outside for the call alone: where a pointer leads is read in the page table, before and after. */
static long translate_and_make(struct pass *pass, struct cpus *cpus, struct cpu *cpu)
{
	unsigned int number = cpus_number(cpus, cpu);
	long ret = 0;

	cpu_walks(cpus, cpu);
	inflight_begin(pass->memory.inflight, inflight_root(pass));
	if (futex_refused(&pass->memory, pass->number, pass->given))
		ret = -EOPNOTSUPP;
	for (unsigned int i = 0; !ret && i < SYSCALL_ARGUMENTS; i++) {
		if (is_followed(pass->call, pass->given, i))
			ret = use_pointer(pass, i);
	}
	if (!ret) {
		cpu_outside(cpus, cpu);
		ret = make(pass);
		cpu_walks(cpus, cpu);
		ret = give_back(pass, ret);
	}
	inflight_end(&pass->vcpu->dbos->inflights, number);
	cpu_outside(cpus, cpu);
	if (pass->space)
		host_syscall(SYS_munmap, (long)pass->space, sizeof(struct space), 0, 0, 0, 0);
	return ret;
}

static long translate(struct vcpu *vcpu, const struct syscall_info *call, const uint64_t *given,
		      struct pass_fault *fault)
{
	struct pass pass;

	pass.vcpu = vcpu;
	pass.memory = guest_memory_of(vcpu, fault);
	pass.memory.inflight = &vcpu->dbos->inflights.cpu[vcpu->number];
	pass.call = call;
	pass.number = vcpu->regs->rax;
	pass.given = given;
	for (unsigned int i = 0; i < SYSCALL_ARGUMENTS; i++)
		pass.arguments[i] = given[i];
	pass.space = NULL;
	pass.bounce_used = 0;
	pass.bounced_count = 0;
	pass.messages = NULL;
	return translate_and_make(&pass, &vcpu->dbos->cpus, &vcpu->dbos->cpus.cpu[vcpu->number]);
}

long pass_call(struct vcpu *vcpu, const struct syscall_info *call, struct pass_fault *fault)
{
	const struct dune_regs *regs = vcpu->regs;
	uint64_t given[SYSCALL_ARGUMENTS] = {
		regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9,
	};

	fault->happened = false;
	if (!call || !__atomic_load_n(&vcpu->dbos->table_edited, __ATOMIC_RELAXED) ||
	    !follows_any(call, given))
		return call_interruptible(vcpu, regs->rax, given);
	return translate(vcpu, call, given, fault);
}
