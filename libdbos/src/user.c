// SPDX-License-Identifier: BSD-2-Clause
/* The public side of ring 3: <dbos/user.h>. */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dbos/user.h>

#include "cpu/offsets.h"
#include "cpu/ring3.h"
#include "dbos_internal.h"
#include "mm/space.h"
#include "user.h"

#define VECTOR_GP 13
#define VECTOR_PF 14

/* Where a function returns to: nothing can be granted there, so that the fetch faults. */
#define RETURN_ADDRESS 0xffffffffffffe000ull

struct dbos_user {
	struct ring3 ring3;
	struct space space;
	void *own_vectors;
	bool on_loaded_table;	/* not on that of the space: user.h */
	bool running;
};

static bool cpu_has_fsgsbase(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && ebx & 1;
}

static int create(struct dbos *dbos, bool on_loaded_table, struct dbos_user **out)
{
	size_t size = ring3_vectors_size();
	struct dbos_user *user;
	int ret = -ENOMEM;

	if (!cpu_has_fsgsbase())
		return -EOPNOTSUPP;
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->ring3.vectors = aligned_alloc(64, size);
	user->own_vectors = aligned_alloc(64, size);
	user->on_loaded_table = on_loaded_table;
	user->space.dbos = dbos;
	if (user->ring3.vectors && user->own_vectors)
		ret = on_loaded_table ? 0 : space_create(dbos, &user->space);
	if (ret) {
		free(user->own_vectors);
		free(user->ring3.vectors);
		free(user);
		return ret;
	}
	/* XSAVE leaves most of the header as it is, and XRSTOR wants it zero (SDM 1 13.4.2). */
	memset(user->own_vectors, 0, size);
	ring3_reset(&user->ring3);
	user->ring3.cr3 = user->space.table.root;
	*out = user;
	return 0;
}

int dbos_user_create(struct dbos *dbos, struct dbos_user **out)
{
	return create(dbos, false, out);
}

int user_create_on_loaded_table(struct dbos *dbos, struct dbos_user **out)
{
	return create(dbos, true, out);
}

void dbos_user_destroy(struct dbos_user *user)
{
	if (!user->on_loaded_table)
		space_destroy(&user->space);
	free(user->own_vectors);
	free(user->ring3.vectors);
	free(user);
}

int dbos_user_grant(struct dbos_user *user, const void *va, size_t size, unsigned int rights)
{
	uint64_t flags = (rights & DBOS_USER_WRITE ? DBOS_PTE_W : 0) |
			 (rights & DBOS_USER_EXEC ? 0 : DBOS_PTE_NX);

	if (size % DBOS_PAGE_SIZE)
		return -EINVAL;
	return space_grant(&user->space, (uint64_t)va, size / DBOS_PAGE_SIZE, flags);
}

int dbos_user_revoke(struct dbos_user *user, const void *va, size_t size)
{
	if (size % DBOS_PAGE_SIZE)
		return -EINVAL;
	return space_revoke(&user->space, (uint64_t)va, size / DBOS_PAGE_SIZE);
}

struct dbos_user_regs *dbos_user_regs(struct dbos_user *user)
{
	return &user->ring3.regs;
}

int dbos_user_begin(struct dbos_user *user, const void *function, void *stack_top,
		    const uint64_t arg[6])
{
	struct dbos_tf *tf = &user->ring3.regs.tf;
	uint64_t *stack = stack_top;

	if ((uint64_t)stack_top % 16)
		return -EINVAL;
	ring3_reset(&user->ring3);
	*--stack = RETURN_ADDRESS;
	tf->rip = (uint64_t)function;
	tf->rsp = (uint64_t)stack;
	tf->rdi = arg[0];
	tf->rsi = arg[1];
	tf->rdx = arg[2];
	tf->rcx = arg[3];
	tf->r8 = arg[4];
	tf->r9 = arg[5];
	return 0;
}

/* Of 48 bits: there is no CR4.LA57 in the guest. */
static bool is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* What the hypervisor reflects of the host's faults does not know of rings. */
static void describe_fault(const struct dbos_tf *tf, uint64_t cr2, struct dbos_user_stop *stop)
{
	*stop = (struct dbos_user_stop){
		.reason = DBOS_USER_FAULT, .vector = tf->num, .error_code = tf->err,
	};
	if (tf->num != VECTOR_PF)
		return;
	stop->error_code |= DBOS_FEC_USER;
	stop->address = cr2;
	if (cr2 == RETURN_ADDRESS && tf->rip == RETURN_ADDRESS)
		*stop = (struct dbos_user_stop){ .reason = DBOS_USER_RETURNED, .value = tf->rax };
}

/* False: it is to go on, for it was interrupted by others only. */
static bool describe(struct vcpu *vcpu, const struct dbos_tf *tf, uint64_t cr2,
		     struct dbos_user_stop *stop)
{
	uint64_t irqs;
	bool ticked;

	switch (tf->num) {
	case HV_DOORBELL_VECTOR:
		irqs = machine_irqs_off();
		cpu_interrupt(&vcpu->dbos->cpus);
		ticked = timer_ticked(vcpu);
		machine_irqs_restore(irqs);
		*stop = (struct dbos_user_stop){ .reason = DBOS_USER_PREEMPTED };
		return ticked;
	case DBOS_TRAP_SYSCALL:
		*stop = (struct dbos_user_stop){ .reason = DBOS_USER_SYSCALL };
		return true;
	default:
		describe_fault(tf, cr2, stop);
		return true;
	}
}

/* IRETQ to such an address faults in ring 0; the fault is the function's. */
static bool goes_nowhere(const struct dbos_tf *tf, struct dbos_user_stop *stop)
{
	if (is_canonical(tf->rip))
		return false;
	*stop = (struct dbos_user_stop){ .reason = DBOS_USER_FAULT, .vector = VECTOR_GP };
	return true;
}

/*
 * A signal rings the doorbell (cpu/signals.h), which ring 3 has answered; its handler begins in
 * ring 0 only. So it is rung once more: at once if the caller can be interrupted, else when he can.
 */
static void ring_for_signal(struct vcpu *vcpu, bool stopped)
{
	uint64_t irqs = machine_irqs_off();

	machine_irqs_restore(irqs);
	if (vcpu->signals.pending && (stopped || irqs))
		vcpu_hypercall(PORT_DOORBELL, vcpu->number, 0);
}

/* What is loaded has all that the way back needs. */
static int prepare_table(struct dbos_user *user, struct vcpu *vcpu)
{
	if (!user->on_loaded_table)
		return space_add_vcpu(&user->space, vcpu);
	user->ring3.cr3 = dbos_read_cr3();
	return 0;
}

static int run(struct dbos_user *user, struct vcpu *vcpu, struct dbos_user_stop *stop)
{
	struct dbos_user_regs *regs = &user->ring3.regs;
	bool stopped = false;
	uint64_t cr2;
	int ret;

	if (!is_canonical(regs->fs_base) || !is_canonical(regs->gs_base))
		return -EINVAL;
	ret = prepare_table(user, vcpu);
	while (!ret && !stopped && !goes_nowhere(&regs->tf, stop)) {
		ring3_run(vcpu, &user->ring3, user->own_vectors, &cr2);
		stopped = describe(vcpu, &regs->tf, cr2, stop);
		ring_for_signal(vcpu, stopped);
	}
	return ret;
}

int dbos_user_run(struct dbos_user *user, struct dbos_user_stop *stop)
{
	struct dbos *dbos = user->space.dbos;
	unsigned int number = machine_cpu();
	int ret;

	if (number == MACHINE_NO_CPU)
		return -EINVAL;
	if (__atomic_exchange_n(&user->running, true, __ATOMIC_ACQUIRE))
		return -EBUSY;
	ret = run(user, dbos->doorbells[number].vcpu, stop);
	__atomic_store_n(&user->running, false, __ATOMIC_RELEASE);
	return ret;
}
