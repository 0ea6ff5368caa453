// SPDX-License-Identifier: BSD-2-Clause
/* Create, run, destroy: with one vCPU to four, and given back in every order. */
#include <sys/mman.h>
#include <unistd.h>

#include "lifecycle.h"

#define MAX_SIBLINGS 3

static void one_cycle(unsigned long number)
{
	struct machine machine, siblings[MAX_SIBLINGS];
	unsigned int count = number % 4 == 0 ? number / 4 % (MAX_SIBLINGS + 1) : 0;

	machine_create(&machine);
	for (unsigned int i = 0; i < count; i++)
		machine_add_vcpu(&machine, &siblings[i]);
	expect_sum(&machine, 1000 + number);
	for (unsigned int i = 0; i < count; i++) {
		expect_sum(&siblings[i], 10 + i);
		munmap(siblings[i].run, GUEST_PAGE);
		close(siblings[i].vcpu);
	}
	machine_destroy(&machine, number % 2);
}

void run_cycles(char **arguments)
{
	unsigned long count = strtoul(arguments[0], NULL, 0);

	for (unsigned long i = 0; i < count; i++)
		one_cycle(i);
	printf("cycles: ok, %lu\n", count);
}
