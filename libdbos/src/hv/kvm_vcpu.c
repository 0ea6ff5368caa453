// SPDX-License-Identifier: BSD-2-Clause
/*
 * KVM's vCPUs. They can't be given back before their VM ends, and there are few of them (some
 * thousand), so a thread that leaves puts its vCPU into a store, and one that enters takes from it.
 * A vCPU that changes threads costs KVM a grace period of RCU, so each gets its own if it can.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hv/apart.h"
#include "hv/descriptors.h"
#include "hv/host_syscall.h"
#include "hv/kvm.h"

#define MSR_STAR	   0xc0000081
#define MSR_LSTAR	   0xc0000082
#define MSR_SFMASK	   0xc0000084
#define MSR_KERNEL_GS_BASE 0xc0000102

#define CR0_PE_MP_NE_WP_PG 0x80010023ull
#define EFER_SCE_LME_LMA_NXE 0xd01ull

#define TYPE_DATA 3	/* read, write, accessed */
#define TYPE_CODE 11	/* execute, read, accessed */
#define TYPE_TSS  11	/* of a system segment: 64-bit TSS, busy */

_Static_assert(sizeof(struct kvm_regs) == sizeof(struct dune_regs), "one is shown as the other");
_Static_assert(offsetof(struct kvm_regs, rsp) == offsetof(struct dune_regs, rsp), "same order");
_Static_assert(offsetof(struct kvm_regs, r15) == offsetof(struct dune_regs, r15), "same order");
_Static_assert(offsetof(struct kvm_regs, rip) == offsetof(struct dune_regs, rip), "same order");

/* Where SYSCALL goes and what it finds there. */
struct syscall_msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[4];
};

static struct kvm_segment flat(uint8_t type, uint16_t selector)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type, .present = 1, .s = 1,
		.g = 1, .db = type == TYPE_DATA, .l = type == TYPE_CODE,
	};
}

/* 64-bit mode at CPL 0, as dune.ko makes a vCPU. */
static int reset_sregs(struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs;
	long ret = kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);

	if (ret < 0)
		return ret;
	sregs.cs = flat(TYPE_CODE, 8);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat(TYPE_DATA, 16);
	sregs.ldt = (struct kvm_segment){ .unusable = 1 };
	sregs.tr = (struct kvm_segment){ .type = TYPE_TSS, .present = 1 };
	sregs.gdt = sregs.idt = (struct kvm_dtable){ 0 };
	sregs.cr0 = CR0_PE_MP_NE_WP_PG;
	sregs.cr2 = sregs.cr3 = 0;
	sregs.cr4 = vcpu->vm->cr4;
	sregs.efer = EFER_SCE_LME_LMA_NXE;
	return kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
}

/* What an earlier user of the vCPU may have left in it. */
static int reset(struct kvm_vcpu *vcpu)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .value = vcpu->vm->xcr0 } } };
	struct kvm_debugregs debugregs = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };
	struct kvm_vcpu_events events = { 0 };
	long ret = reset_sregs(vcpu);

	if (!ret)
		ret = kvm_ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs);
	if (!ret)
		ret = kvm_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &debugregs);
	if (!ret)
		ret = kvm_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events);
	memset(&vcpu->run->s.regs.regs, 0, sizeof(vcpu->run->s.regs.regs));
	vcpu->regs_changed = true;
	vcpu->injection.valid = false;
	vcpu->rung = 0;
	return ret;
}

/*
 * The vDSO reads the time-stamp counter inside and combines it with what the host's kernel has
 * noted of its own: they must be one.
 */
static int share_tsc(struct kvm_vcpu *vcpu)
{
	uint64_t offset = 0;
	struct kvm_device_attr attribute = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uint64_t)&offset,
	};

	return kvm_ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &attribute);
}

static int map_run(struct kvm_vcpu *vcpu)
{
	void *run = mmap(NULL, vcpu->vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd,
			 0);

	if (run == MAP_FAILED)
		return -ENOMEM;
	/* It would be the parent's. */
	madvise(run, vcpu->vm->run_size, MADV_DONTFORK);
	vcpu->run = run;
	vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	return 0;
}

static void free_vcpu(struct kvm_vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->vm->run_size);
	descriptor_close(vcpu->stats);
	descriptor_close(vcpu->fd);
	apart_free(vcpu, sizeof(*vcpu));
}

/* Under the lock. */
static int create(struct kvm *vm, struct kvm_vcpu **out)
{
	unsigned int id = vm->vcpu_count;
	struct kvm_vcpu *vcpu = apart_alloc(sizeof(*vcpu));
	long ret;

	if (!vcpu)
		return -ENOMEM;
	vcpu->vm = vm;
	vcpu->stats = -1;
	vcpu->probe = vm->probes + id * PROBE_SIZE;
	vcpu->probe_gpa = KVM_GPA_PROBES(vm->max_vcpus) + id * PROBE_SIZE;
	vcpu->fd = -1;
	ret = kvm_ioctl(vm->vm, KVM_CREATE_VCPU, (void *)(long)id);
	if (ret < 0) {
		free_vcpu(vcpu);
		return ret;
	}
	vcpu->fd = descriptor_claim(ret);
	vm->vcpu_count++;
	*out = vcpu;
	return 0;
}

/* All that it needs besides. If that fails, whoever takes the vCPU next tries again. */
static int complete(struct kvm_vcpu *vcpu)
{
	long ret = 0;

	if (vcpu->ready)
		return 0;
	if (!vcpu->run)
		ret = map_run(vcpu);
	if (!ret)
		ret = kvm_ioctl(vcpu->fd, KVM_SET_CPUID2, vcpu->vm->cpuid);
	if (!ret)
		ret = share_tsc(vcpu);
	if (!ret)
		ret = kvm_stats_open(vcpu);
	if (ret < 0)
		return ret;
	kvm_probe_init(vcpu);
	vcpu->ready = true;
	return 0;
}

/* One that @thread has used, or else any; NULL if there is none. Under the lock. */
static struct kvm_vcpu *take_idle(struct kvm *vm, long thread)
{
	struct kvm_vcpu **link = &vm->idle, *vcpu;

	while (*link && (*link)->thread != thread)
		link = &(*link)->next;
	if (!*link)
		link = &vm->idle;
	vcpu = *link;
	if (vcpu)
		*link = vcpu->next;
	return vcpu;
}

static void put_idle(struct kvm_vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->vm->lock);
	vcpu->next = vcpu->vm->idle;
	vcpu->vm->idle = vcpu;
	pthread_mutex_unlock(&vcpu->vm->lock);
}

static int take_or_create(struct kvm *vm, struct kvm_vcpu **vcpu)
{
	long thread = host_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
	int ret = 0;

	pthread_mutex_lock(&vm->lock);
	*vcpu = take_idle(vm, thread);
	if (!*vcpu && vm->vcpu_count == vm->max_vcpus)
		ret = -EAGAIN;
	else if (!*vcpu)
		ret = create(vm, vcpu);
	pthread_mutex_unlock(&vm->lock);
	if (!ret)
		(*vcpu)->thread = thread;
	return ret;
}

int kvm_vcpu_open(struct hv *hv, struct hv_vcpu *out)
{
	struct kvm_vcpu *vcpu;
	int ret = take_or_create(hv->backend, &vcpu);

	if (ret)
		return ret;
	ret = complete(vcpu);
	if (!ret)
		ret = reset(vcpu);
	if (ret) {
		put_idle(vcpu);
		return ret;
	}
	*out = (struct hv_vcpu){
		.hv = hv,
		.fd = vcpu->fd,
		.regs = (struct dune_regs *)&vcpu->run->s.regs.regs,
		.run_page = vcpu->run,
		.backend = vcpu,
	};
	vcpu->before = (struct hv_counters){ 0 };
	kvm_counters(out, &vcpu->before);
	return 0;
}

void kvm_vcpu_close(struct hv_vcpu *vcpu)
{
	put_idle(kvm_vcpu_of(vcpu));
}

/* No vCPU is in use any more. */
void kvm_vcpus_free(struct kvm *vm)
{
	struct kvm_vcpu *vcpu, *next;

	for (vcpu = vm->idle; vcpu; vcpu = next) {
		next = vcpu->next;
		free_vcpu(vcpu);
	}
}

int kvm_get_state(struct hv_vcpu *vcpu, struct dune_state *state)
{
	struct syscall_msrs msrs = {
		.head.nmsrs = 4,
		.entries = { { .index = MSR_STAR }, { .index = MSR_LSTAR },
			     { .index = MSR_SFMASK }, { .index = MSR_KERNEL_GS_BASE } },
	};
	struct kvm_sregs sregs;
	long ret = kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);

	if (!ret)
		ret = kvm_ioctl(vcpu->fd, KVM_GET_MSRS, &msrs);
	if (ret < 0)
		return ret;
	if (ret != 4)
		return -EIO;
	*state = (struct dune_state){
		.cr0 = sregs.cr0, .cr3 = sregs.cr3, .cr4 = sregs.cr4, .efer = sregs.efer,
		.fs_base = sregs.fs.base, .gs_base = sregs.gs.base,
		.star = msrs.entries[0].data, .lstar = msrs.entries[1].data,
		.sfmask = msrs.entries[2].data, .kernel_gs_base = msrs.entries[3].data,
		.gdt_base = sregs.gdt.base, .gdt_limit = sregs.gdt.limit,
		.idt_base = sregs.idt.base, .idt_limit = sregs.idt.limit,
		.tss_base = sregs.tr.base, .tss_limit = sregs.tr.limit,
		.cs = sregs.cs.selector, .ss = sregs.ss.selector,
		.tss_selector = sregs.tr.selector,
	};
	return 0;
}

int kvm_set_state(struct hv_vcpu *vcpu, const struct dune_state *state)
{
	struct syscall_msrs msrs = {
		.head.nmsrs = 4,
		.entries = { { .index = MSR_STAR, .data = state->star },
			     { .index = MSR_LSTAR, .data = state->lstar },
			     { .index = MSR_SFMASK, .data = state->sfmask },
			     { .index = MSR_KERNEL_GS_BASE, .data = state->kernel_gs_base } },
	};
	struct kvm_sregs sregs;
	long ret = kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);

	if (ret < 0)
		return ret;
	sregs.cr0 = state->cr0;
	sregs.cr3 = state->cr3;
	sregs.cr4 = state->cr4;
	sregs.efer = state->efer;
	sregs.fs.base = state->fs_base;
	sregs.gs.base = state->gs_base;
	sregs.gdt = (struct kvm_dtable){ .base = state->gdt_base, .limit = state->gdt_limit };
	sregs.idt = (struct kvm_dtable){ .base = state->idt_base, .limit = state->idt_limit };
	sregs.tr.base = state->tss_base;
	sregs.tr.limit = state->tss_limit;
	sregs.tr.selector = state->tss_selector;
	sregs.cs.selector = state->cs;
	sregs.ss.selector = state->ss;
	ret = kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
	if (!ret)
		ret = kvm_ioctl(vcpu->fd, KVM_SET_MSRS, &msrs);
	return ret < 0 ? ret : ret == 4 ? 0 : -EIO;
}
