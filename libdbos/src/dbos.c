// SPDX-License-Identifier: BSD-2-Clause
/* The public life cycle: the process's one instance, and each thread's way in and out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/offsets.h"
#include "cpu/stat.h"
#include "dbos_internal.h"
#include "hv/apart.h"
#include "hv/descriptors.h"
#include "mm/cover.h"
#include "mm/pgtable.h"
#include "sys/exit.h"
#include "sys/run_loop.h"

/*
 * A process has one address space, so it has one of these. Written once, under init_lock; a
 * thread's vCPU is its own.
 */
static struct dbos *instance;
static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static bool fork_handler;	/* registered; under init_lock */
static _Thread_local struct vcpu *self;

/* The last dbos_init()'s; under init_lock. */
static struct {
	size_t count;
	struct dbos_refusal refused[HV_BACKENDS];
} refusals;

_Static_assert(HV_BACKENDS == DBOS_BACKENDS, "dbos.h");

static int map_idt(struct dbos *dbos)
{
	void *idt = mmap(NULL, DBOS_IDT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (idt == MAP_FAILED)
		return -ENOMEM;
	dbos->idt = idt;
	traps_fill_idt(dbos->idt);
	return 0;
}

static int register_slots(struct dbos *dbos)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < dbos->windows.count; i++) {
		const struct window *w = &dbos->windows.window[i];

		ret = dbos->hv.ops->set_slot(&dbos->hv, i, w->gpa, w->va, w->size);
	}
	return ret;
}

/* Leaves the reason in dbos->hv.refusal if there is more to say than the result. */
static int create_on(struct dbos *dbos, const struct hv_ops *ops)
{
	struct landmarks landmarks;
	int ret;

	*dbos = (struct dbos){ .hv.ops = ops, .unknown.trace = getenv("DBOS_TRACE") != NULL };
	dbos->cpus.flush_code = (uint64_t)dbos_flush_at_entry;
	pthread_mutex_init(&dbos->lock, NULL);
	pthread_mutex_init(&dbos->region_lock, NULL);
	cover_init(dbos);
	timers_init(&dbos->timers);
	ret = ops->open(&dbos->hv);
	if (ret)
		return ret;
	ret = landmarks_read(&landmarks);
	if (ret)
		goto close;
	ret = windows_layout(&dbos->windows, &landmarks, dbos->hv.gpa_bits);
	if (ret)
		goto close;
	ret = pgtable_create(dbos);
	if (ret)
		goto close;
	ret = map_idt(dbos);
	if (ret)
		goto destroy_pgtable;
	ret = stat_create(dbos);
	if (ret)
		goto unmap_idt;
	ret = register_slots(dbos);
	if (ret)
		goto destroy_stat;
	return 0;

destroy_stat:
	stat_destroy(dbos);
unmap_idt:
	munmap(dbos->idt, DBOS_IDT_SIZE);
destroy_pgtable:
	pgtable_destroy(dbos);
close:
	ops->close(&dbos->hv);
	return ret;
}

static void note_refusal(const struct hv *hv, int error)
{
	struct dbos_refusal *refusal = &refusals.refused[refusals.count++];

	refusal->backend = hv->ops->name;
	refusal->error = error;
	snprintf(refusal->why, sizeof(refusal->why), "%s",
		 hv->refusal[0] ? hv->refusal : strerror(-error));
}

/* On the first backend that works. If none does, the error of one that is there tells more. */
static int create(struct dbos *dbos)
{
	const char *name = getenv("DBOS_BACKEND");
	const struct hv_ops *chosen[HV_BACKENDS];
	size_t count = hv_backends(name && name[0] ? name : NULL, chosen);
	int error = count ? -ENOENT : -EINVAL;

	refusals.count = 0;
	for (size_t i = 0; i < count; i++) {
		int ret = create_on(dbos, chosen[i]);

		if (!ret)
			return 0;
		note_refusal(&dbos->hv, ret);
		if (error == -ENOENT)
			error = ret;
	}
	return error;
}

/*
 * The virtual machine is bound to the parent's address space; the child starts over. Its copies
 * of our memory stay where they are: a handler may be running on them.
 */
static void after_fork_in_child(void)
{
	descriptors_close_all();
	__atomic_store_n(&instance, NULL, __ATOMIC_RELEASE);
	self = NULL;
	apart_begin_anew();
	pthread_mutex_init(&init_lock, NULL);
}

int dbos_init(void)
{
	struct dbos *dbos;
	int ret = 0;

	pthread_mutex_lock(&init_lock);
	if (instance)
		goto unlock;
	dbos = apart_alloc(sizeof(*dbos));
	if (!dbos) {
		ret = -ENOMEM;
		goto unlock;
	}
	ret = create(dbos);
	if (ret) {
		apart_free(dbos, sizeof(*dbos));
		goto unlock;
	}
	if (!fork_handler) {
		pthread_atfork(NULL, NULL, after_fork_in_child);
		fork_handler = true;
	}
	__atomic_store_n(&instance, dbos, __ATOMIC_RELEASE);
unlock:
	pthread_mutex_unlock(&init_lock);
	return ret;
}

struct dbos *dbos_instance(void)
{
	return __atomic_load_n(&instance, __ATOMIC_ACQUIRE);
}

bool dbos_inside(void)
{
	return self != NULL;
}

static bool on_trap_stack(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);

	return here - self->trap_stack_lo < TRAP_STACK_SIZE;
}

int dbos_enter(void)
{
	struct dbos *dbos = dbos_instance();
	int ret;

	if (!dbos)
		return -EINVAL;
	if (self)
		return -EALREADY;
	if (world_is_stopped_by(&dbos->cpus, NULL))
		return -EBUSY;
	ret = vcpu_create(dbos, &self);
	if (ret)
		return ret;
	/* Where a trap is taken there must be no other. And we are to go on on our stack. */
	ret = cover(dbos, (uint64_t)self, VCPU_MAPPING_SIZE);
	if (!ret)
		ret = cover(dbos, (uint64_t)__builtin_frame_address(0), 1);
	if (ret) {
		vcpu_destroy(self);
		self = NULL;
		return ret;
	}
	dbos_vcpu_enter(self, run_loop);
	return 0;
}

int dbos_leave(void)
{
	/* Not from a trap handler, whose stack goes, nor a signal handler, which is outside. */
	if (!self || !cpu_in_guest() || on_trap_stack())
		return -EINVAL;
	if (world_is_stopped_by(&self->dbos->cpus, cpus_self(&self->dbos->cpus)))
		return -EBUSY;
	/* The process's memory is no snapshot. */
	if (cpus_self(&self->dbos->cpus)->root)
		return -EBUSY;
	exit_settle(self);
	vcpu_hypercall(PORT_LEAVE, 0, 0);
	/* In user space again, on the same stack. */
	vcpu_destroy(self);
	self = NULL;
	return 0;
}

int dbos_caps(const struct dbos *dbos, struct dbos_caps *caps)
{
	*caps = (struct dbos_caps){ 0 };
	pthread_mutex_lock(&init_lock);
	caps->refused_count = refusals.count;
	memcpy(caps->refused, refusals.refused, sizeof(refusals.refused));
	pthread_mutex_unlock(&init_lock);
	if (!dbos)
		return 0;
	caps->backend = dbos->hv.ops->name;
	caps->vendor = dbos->hv.vendor;
	caps->gpa_bits = dbos->hv.gpa_bits;
	caps->gigabyte_pages = dbos->gigabyte_pages;
	return 0;
}

/* Each call from inside costs an exit of its own, which is not counted. */
static void read_counters(struct hv_counters *counters)
{
	const struct hv_ops *ops = self->hv.hv->ops;

	if (ops->counters_outside && cpu_in_guest()) {
		vcpu_hypercall(PORT_COUNTERS, counters, 0);
		counters->entries -= ++self->counter_calls;
	} else {
		ops->counters(&self->hv, counters);
	}
}

int dbos_vcpu_stats(struct dbos_vcpu_stats *stats)
{
	struct hv_counters counters;

	if (!self)
		return -EINVAL;
	read_counters(&counters);
	*stats = (struct dbos_vcpu_stats){
		.entries = counters.entries,
		.faults = counters.faults,
		.tlb_flushes = counters.tlb_flushes,
		.syscalls = self->syscalls,
	};
	return 0;
}

int dbos_on_fault(struct dbos *dbos, uintptr_t lo, uintptr_t hi, dbos_fault_fn fn, void *arg)
{
	struct handler handler = { .first = lo, .last = hi - 1, .fault = fn, .arg = arg };

	if (!dbos || !fn || lo >= hi)
		return -EINVAL;
	return handlers_add(&dbos->handlers.faults, &handler);
}

int dbos_on_intr(struct dbos *dbos, int vector, dbos_trap_fn fn, void *arg)
{
	struct handler handler = { .first = vector, .last = vector, .trap = fn, .arg = arg };

	if (!dbos || !fn || vector < 0 || vector >= HV_DOORBELL_VECTOR)
		return -EINVAL;
	return handlers_add(&dbos->handlers.traps, &handler);
}
