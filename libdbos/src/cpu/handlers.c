// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "cpu/handlers.h"
#include "hv/apart.h"

int handlers_add(struct handler **chain, const struct handler *handler)
{
	struct handler *node = apart_alloc(sizeof(*node));

	if (!node)
		return -ENOMEM;
	*node = *handler;
	node->next = __atomic_load_n(chain, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(chain, &node->next, node, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	return 0;
}

/* The next node at or after @node that covers @key. */
static struct handler *find(struct handler *node, uintptr_t key)
{
	while (node && !(node->first <= key && key <= node->last))
		node = node->next;
	return node;
}

bool handlers_cover(struct handler *const *chain, uintptr_t key)
{
	return find(__atomic_load_n(chain, __ATOMIC_ACQUIRE), key) != NULL;
}

enum dbos_verdict handlers_run_fault(struct handler *const *chain, uintptr_t va, uint64_t fec,
				     struct dbos_tf *tf)
{
	struct handler *node = find(__atomic_load_n(chain, __ATOMIC_ACQUIRE), va);

	for (; node; node = find(node->next, va)) {
		if (node->fault(node->arg, va, fec, tf) == DBOS_HANDLED)
			return DBOS_HANDLED;
	}
	return DBOS_NEXT;
}

enum dbos_verdict handlers_run_trap(struct handler *const *chain, uintptr_t key,
				    struct dbos_tf *tf)
{
	struct handler *node = find(__atomic_load_n(chain, __ATOMIC_ACQUIRE), key);

	for (; node; node = find(node->next, key)) {
		if (node->trap(node->arg, tf) == DBOS_HANDLED)
			return DBOS_HANDLED;
	}
	return DBOS_NEXT;
}
