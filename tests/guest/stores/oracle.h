/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the stores have to be: a log of all operations, in memory that is no member, and models that
 * have followed it to some place. A model knows of each key only which operation put it.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>

#include "record.h"

struct model {
	uint64_t sequence;		/* of the last operation that it has seen */
	uint64_t put_by[KEYS];		/* 0: it is not there */
};

/* Operation @sequence, one more than the last, is written down before it is begun. */
void oracle_log(uint64_t sequence, uint64_t key, bool put);

/* The log is a ring: who would write over what has not been followed waits until this is true. */
bool oracle_has_room(uint64_t sequence);

/* As it is behind that operation. Of one model only. */
void model_follow(struct model *model, uint64_t sequence);
void model_apply(struct model *model, uint64_t sequence, uint64_t key, bool put);

/* Fails, with @what, if the dump is not the model's own. */
void model_compare(const struct model *model, const struct dump *dump, const char *what);

#endif /* ORACLE_H */
