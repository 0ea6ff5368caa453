/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fault zoo: one function per way in which a kernel can go wrong.
 *
 * Each is called zoo_NAME, is never inlined, and runs in the context of the process that wrote
 * NAME to /dev/zoo. A fault that does not return leaves that process stuck or dead: that is the
 * point. What a fault leaves behind is never cleaned up; the machine is thrown away.
 */
#ifndef ZOO_H
#define ZOO_H

#include <linux/types.h>

struct zoo_fault {
	const char *name;
	void (*run)(void);
};

#define ZOO_FAULT(fault) { #fault, zoo_##fault }
#define ZOO_END		 { NULL, NULL }

/* One table per family, each ended by ZOO_END. */
extern const struct zoo_fault zoo_complaints[];
extern const struct zoo_fault zoo_oopses[];
extern const struct zoo_fault zoo_memory[];
extern const struct zoo_fault zoo_locking[];
extern const struct zoo_fault zoo_races[];
extern const struct zoo_fault zoo_stuck[];
extern const struct zoo_fault zoo_panics[];

#endif
