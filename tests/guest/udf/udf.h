/* SPDX-License-Identifier: BSD-2-Clause */
/* What the cases of ring 3 stand on: one set of pages, and runs until something is to be said. */
#ifndef UDF_H
#define UDF_H

#include <stdint.h>

#include <dbos/user.h>

#define PAGES_OF_STACK 2

struct ground {
	struct dbos *dbos;
	struct dbos_user *user;
	char *secret, *data, *readonly;		/* a page each */
	char *stack;				/* a page that is not granted is below it */
};

extern struct ground ground;

/* hostile.S */
extern char hostile_begin[], hostile_end[];
extern char __start_dbos_entry[];

/* From its beginning, with the arguments that hostile.S knows, R8 being @r8. */
void begin(const void *function, uint64_t r8);
/* Until it stops, for what reason ever; a preemption is not one. Returns how many there were. */
unsigned int go_on(struct dbos_user_stop *stop);

void hostile_code_is_confined(void);
void registers_stay_apart(void);
void memory_is_taken_back(void);
void bad_requests_are_refused(void);
void signals_come_through(void);

#endif /* UDF_H */
