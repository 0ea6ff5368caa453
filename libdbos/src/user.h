/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ring 3 on whatever page table is loaded when it is run, in which the caller has given DBOS_PTE_U
 * to what it may reach. Nothing is granted or revoked, and it has no way to return but by traps.
 */
#ifndef DBOS_USER_INTERNAL_H
#define DBOS_USER_INTERNAL_H

#include <dbos/user.h>

/* As dbos_user_create(). */
int user_create_on_loaded_table(struct dbos *dbos, struct dbos_user **user);

#endif /* DBOS_USER_INTERNAL_H */
