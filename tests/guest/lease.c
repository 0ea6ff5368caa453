// SPDX-License-Identifier: BSD-2-Clause
/*
 * lease: what the module accepts as a lease while KVM has the processors (see DUNE_LEASE_KVM). Uses
 * the module's interface itself; libdbos would do all of it unasked.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "../../kern/uapi/dune.h"
#include "check.h"

#define check_fails(call, expected)                                                \
	do {                                                                       \
		int fails_ret = (call);                                            \
		check(fails_ret < 0 && errno == (expected), "%s: %d, %s", #call,   \
		      fails_ret, fails_ret < 0 ? strerror(errno) : "no error");    \
	} while (0)

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR);
	int kvm_vm = ioctl(kvm, KVM_CREATE_VM, 0);
	int dune = open("/dev/dune", O_RDWR);
	struct dune_info info;

	check(kvm >= 0 && kvm_vm >= 0, "KVM: %s", strerror(errno));
	check(dune >= 0, "/dev/dune: %s", strerror(errno));
	check(ioctl(dune, DUNE_GET_INFO, &info) == 0, "DUNE_GET_INFO: %s", strerror(errno));
	check(info.flags == DUNE_INFO_NEEDS_LEASE, "flags are 0x%x", info.flags);
	check_fails(ioctl(dune, DUNE_CREATE_VCPU, 0), EBUSY);
	check_fails(ioctl(dune, DUNE_LEASE_KVM, -1), EBADF);
	check_fails(ioctl(dune, DUNE_LEASE_KVM, 0), EINVAL);
	check_fails(ioctl(dune, DUNE_LEASE_KVM, dune), EINVAL);
	check_fails(ioctl(dune, DUNE_LEASE_KVM, kvm), EINVAL);
	check_fails(ioctl(dune, DUNE_LEASE_KVM, ioctl(kvm_vm, KVM_CREATE_VCPU, 0)), EINVAL);
	check(ioctl(dune, DUNE_LEASE_KVM, kvm_vm) == 0, "DUNE_LEASE_KVM: %s", strerror(errno));
	check_fails(ioctl(dune, DUNE_LEASE_KVM, kvm_vm), EEXIST);
	check(ioctl(dune, DUNE_GET_INFO, &info) == 0 && info.flags == 0, "still wants a lease");

	/* The lease is the module's own copy. */
	close(kvm_vm);
	close(kvm);
	check(ioctl(dune, DUNE_CREATE_VCPU, 0) >= 0, "DUNE_CREATE_VCPU: %s", strerror(errno));
	printf("lease: ok\n");
	return 0;
}
