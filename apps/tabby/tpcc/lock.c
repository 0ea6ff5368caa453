// SPDX-License-Identifier: BSD-2-Clause
#include "tpcc/tpcc.h"

/* In order, each once. */
void warehouses_add(struct warehouses *warehouses, uint32_t number)
{
	unsigned int i = 0;

	while (i < warehouses->count && warehouses->number[i] < number)
		i++;
	if (i < warehouses->count && warehouses->number[i] == number)
		return;
	for (unsigned int j = warehouses->count++; j > i; j--)
		warehouses->number[j] = warehouses->number[j - 1];
	warehouses->number[i] = number;
}

static void unlock(struct worker *worker, const struct warehouses *warehouses)
{
	for (unsigned int i = warehouses->count; i--;)
		pthread_mutex_unlock(&tpcc_of(worker)->lock[warehouses->number[i] - 1]);
}

int tpcc_begin(struct worker *worker, const struct warehouses *warehouses, bool writes)
{
	int err;

	for (unsigned int i = 0; i < warehouses->count; i++)
		pthread_mutex_lock(&tpcc_of(worker)->lock[warehouses->number[i] - 1]);
	err = worker->run->store->engine->begin(worker->session, writes);
	if (err)
		unlock(worker, warehouses);
	return err;
}

/* What an engine has begun it ends in any case; with an error of ours, nothing says it was kept. */
int tpcc_end(struct worker *worker, const struct warehouses *warehouses, int err)
{
	int commit = worker->run->store->engine->commit(worker->session);

	unlock(worker, warehouses);
	return err ? err : commit;
}
