// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is on the other side of the boundary, tried from CPL 0: every MSR that a permission map can
 * let through, every port, and the bits of the control registers that are the host's. Prints what
 * could be reached; the suite knows what that may be.
 */
#include <stdint.h>
#include <sys/io.h>

#include <dbos/dbos.h>

#include "check.h"

#define VECTOR_GP   13
#define PORTS	    0x10000
#define RDMSR_BYTES 2

static int refusals;

static enum dbos_verdict refuse(void *length, struct dbos_tf *tf)
{
	refusals++;
	tf->rip += *(int *)length;
	return DBOS_HANDLED;
}

static bool readable(uint32_t msr)
{
	uint32_t low, high;
	int before = refusals;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return refusals == before;
}

/* The three ranges of SVM's map; VT-x has the first two (APM 2 15.11, SDM 3C 24.6.9). */
static void sweep_msrs(void)
{
	static const uint32_t bases[] = { 0, 0xc0000000, 0xc0010000 };

	printf("readable MSRs:");
	for (int i = 0; i < 3; i++) {
		for (uint32_t msr = bases[i]; msr < bases[i] + 0x2000; msr++) {
			if (readable(msr))
				printf(" %#x", msr);
		}
	}
	printf("\n");
}

static uint64_t entries(void)
{
	struct dbos_vcpu_stats stats;

	check_ok(dbos_vcpu_stats(&stats));
	return stats.entries;
}

/* IN without an exit would be IN from the host's device. */
static void sweep_ports(void)
{
	uint64_t before = entries();

	for (uint32_t port = 0; port < PORTS; port++)
		inb(port);
	check(entries() - before >= PORTS, "some IN did not exit");
	printf("ports: all %d exit\n", PORTS);
}

static void look_at_cr4(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	printf("CR4: %#lx\n", cr4);
}

int main(void)
{
	static int length = RDMSR_BYTES;

	setvbuf(stdout, NULL, _IOFBF, 0);
	check_ok(dbos_init());
	check_ok(dbos_enter());
	check_ok(dbos_on_intr(dbos_instance(), VECTOR_GP, refuse, &length));
	sweep_msrs();
	sweep_ports();
	look_at_cr4();
	check_ok(dbos_leave());
	printf("boundary: ok, %d refusals\n", refusals);
	return 0;
}
