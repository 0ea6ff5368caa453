// SPDX-License-Identifier: BSD-2-Clause
/* The hypervisor interface over /dev/dune. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "hv/descriptors.h"
#include "hv/host_syscall.h"
#include "hv/hv.h"
#include "uapi/layout.h" /* asserts */

/* KVM has the processors: an empty virtual machine of its own lets us share them. */
static int lease_from_kvm(const struct hv *hv)
{
	int kvm, vm, ret = 0;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return -EBUSY;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0 || ioctl(hv->fd, DUNE_LEASE_KVM, vm) < 0)
		ret = -errno;
	if (vm >= 0)
		close(vm);
	close(kvm);
	return ret;
}

static int dune_open(struct hv *hv)
{
	struct dune_info info;
	int ret = 0;

	hv->fd = descriptor_claim(open("/dev/dune", O_RDWR | O_CLOEXEC));
	if (hv->fd < 0)
		return -errno;
	if (ioctl(hv->fd, DUNE_GET_INFO, &info) < 0) {
		ret = -errno;
		goto close;
	}
	if (info.version != DUNE_API_VERSION) {
		ret = -EPROTO;
		goto close;
	}
	if (info.flags & DUNE_INFO_NEEDS_LEASE)
		ret = lease_from_kvm(hv);
	if (ret)
		goto close;
	hv->gpa_bits = info.gpa_bits;
	hv->max_slots = info.max_slots;
	hv->run_size = info.run_size;
	hv->vendor = info.vendor == DUNE_VENDOR_SVM ? "svm" : "vmx";
	return 0;

close:
	descriptor_close(hv->fd);
	return ret;
}

static void dune_close(struct hv *hv)
{
	descriptor_close(hv->fd);
}

static int dune_set_slot(struct hv *hv, unsigned int slot, uint64_t gpa, uint64_t hva,
			 uint64_t size)
{
	struct dune_slot request = { .slot = slot, .gpa = gpa, .hva = hva, .size = size };

	return host_syscall(SYS_ioctl, hv->fd, DUNE_SET_SLOT, (long)&request, 0, 0, 0);
}

static int dune_vcpu_open(struct hv *hv, struct hv_vcpu *vcpu)
{
	int ret;

	vcpu->hv = hv;
	vcpu->fd = descriptor_claim(ioctl(hv->fd, DUNE_CREATE_VCPU, 0));
	if (vcpu->fd < 0)
		return -errno;
	vcpu->run_page = mmap(NULL, hv->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run_page == MAP_FAILED) {
		ret = -errno;
		descriptor_close(vcpu->fd);
		return ret;
	}
	vcpu->regs = &((struct dune_run *)vcpu->run_page)->regs;
	return 0;
}

static void dune_vcpu_close(struct hv_vcpu *vcpu)
{
	munmap(vcpu->run_page, vcpu->hv->run_size);
	descriptor_close(vcpu->fd);
}

/* Raw system calls: these two are also made on behalf of a guest that is between two runs. */
static int dune_get_state(struct hv_vcpu *vcpu, struct dune_state *state)
{
	return host_syscall(SYS_ioctl, vcpu->fd, DUNE_GET_STATE, (long)state, 0, 0, 0);
}

static int dune_set_state(struct hv_vcpu *vcpu, const struct dune_state *state)
{
	return host_syscall(SYS_ioctl, vcpu->fd, DUNE_SET_STATE, (long)state, 0, 0, 0);
}

static int dune_run(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	const struct dune_run *run = vcpu->run_page;
	long ret = host_syscall(SYS_ioctl, vcpu->fd, DUNE_RUN, 0, 0, 0, 0);

	if (ret < 0)
		return ret;

	switch (run->exit_reason) {
	case DUNE_EXIT_INTERRUPTED:
		exit->reason = HV_EXIT_AGAIN;
		return 0;
	case DUNE_EXIT_IO:
		/* A read floats: it gets what the guest had in RAX. */
		exit->reason = run->io.is_write ? HV_EXIT_OUT : HV_EXIT_AGAIN;
		exit->port = run->io.port;
		return 0;
	case DUNE_EXIT_HLT:
		exit->reason = HV_EXIT_HLT;
		return 0;
	case DUNE_EXIT_MEMORY_FAULT:
		exit->reason = HV_EXIT_FAULT;
		exit->gpa = run->fault.gpa;
		exit->fault_flags = run->fault.flags;
		return 0;
	case DUNE_EXIT_SHUTDOWN:
		exit->reason = HV_EXIT_SHUTDOWN;
		exit->registers_lost = false;
		return 0;
	default:
		exit->reason = HV_EXIT_DEAD;
		exit->code = run->hw.code;
		return 0;
	}
}

static void dune_inject(struct hv_vcpu *vcpu, uint8_t vector, uint32_t error_code, uint64_t cr2)
{
	struct dune_run *run = vcpu->run_page;

	run->inject.vector = vector;
	run->inject.has_error_code = 1;
	run->inject.error_code = error_code;
	run->inject.cr2 = cr2;
	run->inject.valid = 1;
}

static void dune_doorbell(struct hv_vcpu *vcpu)
{
	host_syscall(SYS_ioctl, vcpu->fd, DUNE_INTERRUPT, HV_DOORBELL_VECTOR, 0, 0, 0);
}

static void dune_counters(const struct hv_vcpu *vcpu, struct hv_counters *counters)
{
	const struct dune_run *run = vcpu->run_page;

	counters->entries = run->entries;
	counters->faults = run->faults;
	counters->tlb_flushes = run->tlb_flushes;
}

const struct hv_ops hv_dune_ops = {
	.name = "dune",
	.open = dune_open,
	.close = dune_close,
	.set_slot = dune_set_slot,
	.vcpu_open = dune_vcpu_open,
	.vcpu_close = dune_vcpu_close,
	.get_state = dune_get_state,
	.set_state = dune_set_state,
	.run = dune_run,
	.inject = dune_inject,
	.doorbell = dune_doorbell,
	.counters = dune_counters,
};
