// SPDX-License-Identifier: BSD-2-Clause
#include <sys/syscall.h>
#include <asm/prctl.h>

#include "hv/host_syscall.h"
#include "sys/bases.h"

int bases_out(struct vcpu *vcpu)
{
	struct dune_state state;
	long ret = vcpu->hv.hv->ops->get_state(&vcpu->hv, &state);

	if (!ret)
		ret = host_syscall(SYS_arch_prctl, ARCH_SET_FS, state.fs_base, 0, 0, 0, 0);
	if (!ret)
		ret = host_syscall(SYS_arch_prctl, ARCH_SET_GS, state.gs_base, 0, 0, 0, 0);
	return ret;
}
