/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * misuse: what a program can do wrong with libdbos, and what libdbos can be short of. A case is a
 * process of its own. "errors" are told by a result; "ends" end the process, which must be by a
 * signal and with one report: what it has to say of RIP and the address the case notes before.
 */
#ifndef MISUSE_H
#define MISUSE_H

#include <stdint.h>

#include <dbos/dbos.h>
#include <dbos/mm.h>

#include "check.h"

#define PAGE DBOS_PAGE_SIZE

/* R12 of whoever does the last thing. */
#define MARK 0x0bad5eed0bad5eedul

struct expected {
	uint64_t rip, address;
};

extern struct expected *expected;	/* shared with the parent */

/* acts.S: each returns, if it does, to its caller; the label is its instruction that fails. */
void act_ud2(void);
char act_read(const volatile void *p);
void act_jump(const void *p);
void act_load_cr3(uint64_t cr3);
extern char act_ud2_at[], act_read_at[], act_load_cr3_at[], act_load_cr3_behind[];

/* errors.c, shortage.c */
void too_early(void);
void init_again(void);
void wrong_place(void);
void no_handler(void);
void shared_thread(void);
void no_capability(void);
void no_memory(void);
void no_descriptors(void);
void too_many_threads(void);
void no_window(void);

/* tables.c: what only a guest can break */
void reserved_bits(void);
void page_beyond(void);
void fetch_beyond(void);
void table_beyond(void);
void cr3_beyond(void);
void cr3_reserved(void);
void cr3_empty(void);
void no_trap_stack(void);
void no_entry_stack(void);

/* ends.c */
void empty_gate(void);
void no_entry_code(void);
void no_gates(void);
void gates_unmapped(void);
void tables_unmapped(void);
void stacks_unmapped(void);
void handler_recurses(void);
void handler_spoils_frame(void);
void overflow_guarded(void);
void overflow_unguarded(void);
void overflow_by_entry(void);
void touch_without_window(void);
void touch_without_frames(void);
void run_refused(void);

/* seccomp.c: from here on ioctl(@request) with this third argument, or any, is @error. */
#define ANY_ARGUMENT (~0u)
void refuse_ioctl(unsigned int request, unsigned int argument, int error);

/* main.c */
char *map(size_t size);
void *map_far(unsigned int i);	/* where there are no windows, nor will there be all of them */
void enter(void);
bool on_kvm(void);

#endif /* MISUSE_H */
