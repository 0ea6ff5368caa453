// SPDX-License-Identifier: BSD-2-Clause
/* Which hypervisors there are, and in which order they are tried. */
#include <stddef.h>
#include <string.h>

#include "hv/hv.h"

static const struct hv_ops *const backends[HV_BACKENDS] = { &hv_dune_ops, &hv_kvm_ops };

size_t hv_backends(const char *name, const struct hv_ops *chosen[HV_BACKENDS])
{
	size_t count = 0;

	for (size_t i = 0; i < HV_BACKENDS; i++) {
		if (!name || strcmp(name, backends[i]->name) == 0)
			chosen[count++] = backends[i];
	}
	return count;
}
