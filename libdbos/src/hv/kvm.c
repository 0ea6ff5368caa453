// SPDX-License-Identifier: BSD-2-Clause
/*
 * The hypervisor interface over stock KVM: no module of ours, any CPU that KVM runs on.
 *
 * What differs from the dune backend, for better or worse:
 *
 * - Vector registers are the vCPU's own; see vectors_in and vectors_out in hv.h. No system call
 *   reads them, so the proxy does not carry them over.
 * - KVM mirrors what the process may read and write, not what it may execute: all it may read can
 *   be executed inside, unless the guest's own table says NX.
 * - KVM does not say which access to memory of a slot the process refuses. We find out, by means
 *   of the guest itself: kvm_probe.c.
 * - CPUID is KVM's idea of it, RDTSCP's and RDPID's processor number is always 0, and MSRs that
 *   KVM emulates can be read and written; they are nobody else's.
 * - KVM pays for each slot by its size, so windows are smaller: see affordable_gpa_bits().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "hv/apart.h"
#include "hv/descriptors.h"
#include "hv/host_syscall.h"
#include "hv/kvm.h"

#define CPUID_ENTRIES 256
#define CPUID_SIZE (sizeof(struct kvm_cpuid2) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2))

#define CR4_PAE	       (1ull << 5)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_OSXSAVE    (1ull << 18)

#define HWCAP2_RING0_FSGSBASE (1ul << 1)	/* the kernel has set CR4.FSGSBASE */

/* PKRU is for user pages and stays the thread's; AMX tiles do not fit into struct kvm_xsave. */
#define XCR0_NOT_CARRIED (1ull << 9 | 1ull << 17 | 1ull << 18)

#define GPA_BITS_MIN 36

static const struct {
	int capability;
	const char *name;
} needed[] = {
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_SYNC_MMU, "KVM_CAP_SYNC_MMU" },
	{ KVM_CAP_NR_MEMSLOTS, "KVM_CAP_NR_MEMSLOTS" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
	{ KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS" },
	{ KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS" },
	{ KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS" },
	{ KVM_CAP_XSAVE, "KVM_CAP_XSAVE" },
	{ KVM_CAP_XCRS, "KVM_CAP_XCRS" },
	{ KVM_CAP_VCPU_ATTRIBUTES, "KVM_CAP_VCPU_ATTRIBUTES" },
	{ KVM_CAP_BINARY_STATS_FD, "KVM_CAP_BINARY_STATS_FD" },
};

long kvm_ioctl(int fd, unsigned long request, void *argument)
{
	return host_syscall(SYS_ioctl, fd, request, (long)argument, 0, 0, 0);
}

/* Names all that is missing, not only the first. */
static int check_capabilities(struct hv *hv, int device)
{
	long version = kvm_ioctl(device, KVM_GET_API_VERSION, NULL);
	size_t length = 0;

	if (version != KVM_API_VERSION) {
		snprintf(hv->refusal, sizeof(hv->refusal), "version %ld of KVM's interface, not %d",
			 version, KVM_API_VERSION);
		return -EPROTO;
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (kvm_ioctl(device, KVM_CHECK_EXTENSION, (void *)(long)needed[i].capability) > 0)
			continue;
		length += snprintf(hv->refusal + length, sizeof(hv->refusal) - length, "%s%s",
				   length ? ", " : "KVM lacks ", needed[i].name);
		if (length >= sizeof(hv->refusal))
			break;
	}
	return length ? -EOPNOTSUPP : 0;
}

static const struct kvm_cpuid_entry2 *find_leaf(const struct kvm *vm, uint32_t leaf)
{
	for (uint32_t i = 0; i < vm->cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &vm->cpuid->entries[i];

		if (entry->function == leaf && entry->index == 0)
			return entry;
	}
	return NULL;
}

static uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (uint64_t)high << 32;
}

/* Programs chose their instructions outside: the guest gets all the features that KVM has. */
static int read_features(struct kvm *vm)
{
	const struct kvm_cpuid_entry2 *xsave, *extended;
	long ret;

	vm->cpuid = apart_alloc(CPUID_SIZE);
	if (!vm->cpuid)
		return -ENOMEM;
	vm->cpuid->nent = CPUID_ENTRIES;
	ret = kvm_ioctl(vm->device, KVM_GET_SUPPORTED_CPUID, vm->cpuid);
	if (ret < 0)
		return ret;
	xsave = find_leaf(vm, 0xd);
	extended = find_leaf(vm, 7);
	if (!xsave)
		return -EOPNOTSUPP;
	vm->xcr0 = read_xcr0() & (xsave->eax | (uint64_t)xsave->edx << 32) & ~XCR0_NOT_CARRIED;
	vm->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	if (extended && extended->ebx & 1 && getauxval(AT_HWCAP2) & HWCAP2_RING0_FSGSBASE)
		vm->cr4 |= CR4_FSGSBASE;
	return 0;
}

/* Leaf 0x80000008: what the CPU has, and what second-level tables have if that is less. */
static unsigned int supported_gpa_bits(const struct kvm *vm)
{
	const struct kvm_cpuid_entry2 *entry = find_leaf(vm, 0x80000008);
	unsigned int host = entry ? entry->eax & 0xff : 36;
	unsigned int guest = entry ? entry->eax >> 16 & 0xff : 0;

	return guest && guest < host ? guest : host;
}

/*
 * KVM keeps unswappable memory for each page that a slot could have: 2 bytes where it tracks
 * writes for others (as in Debian's kernels), 8 more where its TDP MMU is off. Eight times the
 * machine's memory in guest-physical space costs up to 1/256 of that memory, or 1/50.
 */
static unsigned int affordable_gpa_bits(void)
{
	unsigned int bits = GPA_BITS_MIN;
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return bits;
	while (bits < 52 && 1ull << bits < 8ull * info.totalram * info.mem_unit)
		bits++;
	return bits;
}

static int add_slot(struct kvm *vm, unsigned int slot, uint64_t gpa, uint64_t hva, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = gpa, .memory_size = size, .userspace_addr = hva,
	};
	long ret = kvm_ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &region);

	if (ret < 0)
		return ret;
	vm->slots[vm->slot_count] = (struct kvm_slot){ .gpa = gpa, .hva = hva, .size = size };
	__atomic_store_n(&vm->slot_count, vm->slot_count + 1, __ATOMIC_RELEASE);
	return 0;
}

/* The backend's own slot is the last, that the callers' begin at 0. */
static int kvm_set_slot(struct hv *hv, unsigned int slot, uint64_t gpa, uint64_t hva,
			uint64_t size)
{
	struct kvm *vm = hv->backend;

	if (slot >= KVM_SLOTS_MAX - 1 || gpa < KVM_GPA_END)
		return -EINVAL;
	return add_slot(vm, slot, gpa, hva, size);
}

/* Their memory is taken as they are used; a fork's child has no use for it. */
static int map_probes(struct kvm *vm)
{
	size_t size = vm->max_vcpus * PROBE_SIZE;

	vm->probes = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vm->probes == MAP_FAILED) {
		vm->probes = NULL;
		return -ENOMEM;
	}
	madvise(vm->probes, size, MADV_DONTFORK);
	return add_slot(vm, KVM_SLOTS_MAX - 1, KVM_GPA_PROBES(vm->max_vcpus),
			(uint64_t)vm->probes, size);
}

static int create_vm(struct kvm *vm)
{
	uint64_t identity = KVM_GPA_IDENTITY;
	long ret;

	ret = kvm_ioctl(vm->device, KVM_CREATE_VM, NULL);
	if (ret < 0)
		return ret;
	vm->vm = descriptor_claim(ret);
	/* For Intel CPUs without unrestricted guests; before the first vCPU. */
	kvm_ioctl(vm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	kvm_ioctl(vm->vm, KVM_SET_TSS_ADDR, (void *)KVM_GPA_TSS);
	ret = kvm_ioctl(vm->device, KVM_CHECK_EXTENSION, (void *)KVM_CAP_MAX_VCPUS);
	vm->max_vcpus = ret < 4 ? 4 : ret > KVM_VCPUS_MAX ? KVM_VCPUS_MAX : ret;
	ret = kvm_ioctl(vm->device, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (ret < 0)
		return ret;
	vm->run_size = ret;
	return map_probes(vm);
}

static void kvm_close(struct hv *hv)
{
	struct kvm *vm = hv->backend;

	kvm_vcpus_free(vm);
	if (vm->probes)
		munmap(vm->probes, vm->max_vcpus * PROBE_SIZE);
	descriptor_close(vm->vm);
	descriptor_close(vm->device);
	apart_free(vm->cpuid, CPUID_SIZE);
	apart_free(vm, sizeof(*vm));
}

static int open_all(struct hv *hv, struct kvm *vm)
{
	const struct kvm_cpuid_entry2 *extended;
	unsigned int bits;
	int ret;

	vm->device = descriptor_claim(open("/dev/kvm", O_RDWR | O_CLOEXEC));
	if (vm->device < 0)
		return -errno;
	ret = check_capabilities(hv, vm->device);
	if (!ret)
		ret = read_features(vm);
	if (!ret)
		ret = create_vm(vm);
	if (ret)
		return ret;
	bits = affordable_gpa_bits();
	hv->gpa_bits = supported_gpa_bits(vm) < bits ? supported_gpa_bits(vm) : bits;
	extended = find_leaf(vm, 0x80000001);
	hv->max_slots = KVM_SLOTS_MAX - 1;
	hv->no_gigabyte_pages = !extended || !(extended->edx & 1u << 26);
	/* "Genu" of GenuineIntel. */
	hv->vendor = find_leaf(vm, 0)->ebx == 0x756e6547 ? "vmx" : "svm";
	return 0;
}

static int kvm_open(struct hv *hv)
{
	struct kvm *vm = apart_alloc(sizeof(*vm));
	int ret;

	if (!vm)
		return -ENOMEM;
	vm->vm = -1;
	pthread_mutex_init(&vm->lock, NULL);
	hv->backend = vm;
	ret = open_all(hv, vm);
	if (!ret && kvm_doorbell_prepare() < 0)
		ret = -errno;
	if (ret)
		kvm_close(hv);
	return ret;
}

const struct hv_ops hv_kvm_ops = {
	.name = "kvm",
	.open = kvm_open,
	.close = kvm_close,
	.set_slot = kvm_set_slot,
	.vcpu_open = kvm_vcpu_open,
	.vcpu_close = kvm_vcpu_close,
	.get_state = kvm_get_state,
	.set_state = kvm_set_state,
	.vectors_in = kvm_vectors_in,
	.vectors_out = kvm_vectors_out,
	.run = kvm_run,
	.inject = kvm_inject,
	.doorbell = kvm_doorbell,
	.doorbell_signal = KVM_DOORBELL_SIGNAL,
	.counters = kvm_counters,
	.counters_outside = true,
};
