// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/stat.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"

_Static_assert(DBOS_STAT_VCPUS == CPUS_MAX, "stat.h");

/*
 * A memfd gives the mapping its name and is closed at once, for the program may close what it did
 * not open. Private, so that a child's copy is its own and the parent's is not written by it.
 */
int stat_create(struct dbos *dbos)
{
	struct dbos_stat *stat = MAP_FAILED;
	int fd = memfd_create("dbos-stat", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(*stat)) == 0)
		stat = mmap(NULL, sizeof(*stat), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (stat == MAP_FAILED)
		return -ENOMEM;
	stat->version = DBOS_STAT_VERSION;
	stat->pid = getpid();
	snprintf(stat->backend, sizeof(stat->backend), "%s", dbos->hv.ops->name);
	__atomic_store_n(&stat->magic, DBOS_STAT_MAGIC, __ATOMIC_RELEASE);
	dbos->stat = stat;
	return 0;
}

void stat_destroy(struct dbos *dbos)
{
	munmap(dbos->stat, sizeof(*dbos->stat));
}

void stat_add_item(struct dbos *dbos, const char *name, const struct dbos_stat_item *item)
{
	uint64_t count = dbos->stat->item_count;
	struct dbos_stat_item *to = &dbos->stat->item[count];

	if (count == DBOS_STAT_ITEMS)
		return;
	*to = *item;
	snprintf(to->name, sizeof(to->name), "%s", name);
	__atomic_store_n(&dbos->stat->item_count, count + 1, __ATOMIC_RELEASE);
}

void stat_begin(struct vcpu *vcpu)
{
	struct dbos_stat_vcpu *stat = &vcpu->dbos->stat->vcpu[vcpu->number];

	vcpu->stat = stat;
	vcpu->stat_before.faults = stat->faults;
	vcpu->stat_before.syscalls = stat->syscalls;
	stat->tid = host_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

void stat_end(struct vcpu *vcpu)
{
	vcpu->stat->tid = 0;
}

void stat_exit(struct vcpu *vcpu)
{
	const struct hv_ops *ops = vcpu->hv.hv->ops;
	const struct dbos *dbos = vcpu->dbos;
	const struct tlb_counters *tlb = &dbos->cpus.cpu[vcpu->number].counters;
	const struct frames_own *own = &dbos->frames.own[vcpu->number];
	struct dbos_stat_vcpu *stat = vcpu->stat;
	struct hv_counters counters;

	stat->exits++;
	stat->faults = DBOS_STAT_UNKNOWN;
	if (!ops->counters_outside) {
		ops->counters(&vcpu->hv, &counters);
		stat->faults = vcpu->stat_before.faults + counters.faults;
	}
	stat->syscalls = vcpu->stat_before.syscalls + vcpu->syscalls;
	stat->flushed_pages = tlb->pages;
	stat->flushes = tlb->flushes;
	stat->interrupts = tlb->interrupts;
	stat->frames = own->free.count + own->limbo.count;
}
