// SPDX-License-Identifier: BSD-2-Clause
/* The counters that KVM keeps of a vCPU, found by their names in its statistics file. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hv/apart.h"
#include "hv/descriptors.h"
#include "hv/host_syscall.h"
#include "hv/kvm.h"

static long find(const struct kvm_stats_header *header, const char *descriptors, size_t step,
		 const char *name)
{
	for (uint32_t i = 0; i < header->num_desc; i++) {
		const struct kvm_stats_desc *descriptor = (const void *)(descriptors + i * step);

		if (strcmp(descriptor->name, name) == 0)
			return header->data_offset + descriptor->offset;
	}
	return -1;
}

int kvm_stats_open(struct kvm_vcpu *vcpu)
{
	struct kvm_stats_header header;
	size_t step, size;
	char *descriptors;
	int ret = 0;
	long fd;

	if (vcpu->stats < 0) {
		fd = kvm_ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
		if (fd < 0)
			return fd;
		vcpu->stats = descriptor_claim(fd);
	}
	if (pread(vcpu->stats, &header, sizeof(header), 0) != sizeof(header))
		return -EIO;
	step = sizeof(struct kvm_stats_desc) + header.name_size;
	size = header.num_desc * step;
	descriptors = apart_alloc(size);
	if (!descriptors)
		return -ENOMEM;
	if (pread(vcpu->stats, descriptors, size, header.desc_offset) != (ssize_t)size)
		ret = -EIO;
	vcpu->exits_at = find(&header, descriptors, step, "exits");
	vcpu->faults_at = find(&header, descriptors, step, "pf_fixed");
	vcpu->flushes_at = find(&header, descriptors, step, "tlb_flush");
	apart_free(descriptors, size);
	if (vcpu->exits_at < 0 || vcpu->faults_at < 0 || vcpu->flushes_at < 0)
		return -EOPNOTSUPP;
	return ret;
}

static uint64_t read_counter(const struct kvm_vcpu *vcpu, long at)
{
	uint64_t value = 0;

	host_syscall(SYS_pread64, vcpu->stats, (long)&value, sizeof(value), at, 0, 0);
	return value;
}

/* From user space only: it takes system calls. */
void kvm_counters(const struct hv_vcpu *hv_vcpu, struct hv_counters *counters)
{
	const struct kvm_vcpu *vcpu = kvm_vcpu_of(hv_vcpu);
	struct hv_counters before = vcpu->before;

	counters->entries = read_counter(vcpu, vcpu->exits_at) - before.entries;
	counters->faults = read_counter(vcpu, vcpu->faults_at) - before.faults;
	counters->tlb_flushes = read_counter(vcpu, vcpu->flushes_at) - before.tlb_flushes;
}
