// SPDX-License-Identifier: BSD-2-Clause
/* kvm_late: KVM has no virtual machine for us while the module has the processors for itself. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <linux/kvm.h>

#include "check.h"

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm;

	check(kvm >= 0, "/dev/kvm: %s", strerror(errno));
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(vm < 0, "KVM has made a virtual machine");
	check(errno == EBUSY, "KVM_CREATE_VM: %s", strerror(errno));
	printf("kvm_late: ok, %s\n", strerror(errno));
	return 0;
}
