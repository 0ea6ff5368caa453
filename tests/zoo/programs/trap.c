// SPDX-License-Identifier: BSD-2-Clause
/*
 * trap WHAT: die of an exception in user mode, which the kernel notes in its log, in words much
 * like those for its own, and which is a matter of this process alone.
 */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int *volatile nowhere = (int *)8;
	int *volatile hole = (int *)0xdead000000000000UL;
	volatile int zero = 0;

	if (!strcmp(what, "segfault"))
		*nowhere = 1;
	if (!strcmp(what, "protection"))
		*hole = 1;
	if (!strcmp(what, "divide"))
		zero = 1 / zero;
	if (!strcmp(what, "opcode"))
		__asm__ volatile("ud2");
	if (!strcmp(what, "breakpoint"))
		__asm__ volatile("int3");
	fprintf(stderr, "usage: trap segfault|protection|divide|opcode|breakpoint\n");
	return 2;
}
