/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same small guest under two hypervisors, dune.ko and KVM, driven through their raw interfaces,
 * and a clock that counts what a way out of it and back costs.
 *
 *	exits.c		what is measured, and the output
 *	machine.c	the guest's memory and tables
 *	dune.c, kvm.c	one hypervisor each, behind struct hypervisor
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"

/* Guest-physical memory, mapped one to one by the guest's own 2 MiB pages. */
#define GUEST_PAGE   4096
#define GUEST_PML4   0x1000
#define GUEST_PDPT   0x2000
#define GUEST_PD     0x3000
#define GUEST_GDT    0x4000
#define GUEST_IDT    0x5000
#define GUEST_CODE   0x10000	/* the events to be counted */
#define GUEST_EMPTY  0x12000	/* the same without them */
#define GUEST_ON_GP  0x14000
#define GUEST_ON_IRQ 0x15000
#define GUEST_STACK  0x20000
#define REGION	     0x400000	/* pages to fault in, and nothing else */
#define REGION_PAGES 256
#define REGION_SIZE  (REGION_PAGES * GUEST_PAGE)
#define MEMORY_SIZE  0x600000

#define GDT_LIMIT     (8 * 8 - 1)
#define IDT_LIMIT     (256 * 16 - 1)
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10

#define VECTOR	  0x30
#define PORT	  0x10	/* from the guest's own code */
#define PORT_IRQ  0x11	/* from its interrupt handler */

#define RFLAGS_FIXED 2

/* What a run ended with: a port the guest wrote to, or one of these. */
#define ENDED_HLT	(-1)
#define ENDED_UNENTERED (-2)

struct hypervisor;

struct machine {
	const struct hypervisor *hypervisor;
	unsigned char *memory;
	int device, vm, vcpu;	/* dune has no VM apart from its device */
	void *run;		/* the page, or pages, shared with the hypervisor */
	size_t run_size;
};

struct hypervisor {
	const char *name;
	void (*create)(struct machine *machine);
	void (*destroy)(struct machine *machine);
	void (*start_at)(struct machine *machine, uint64_t rip);
	/* Once into the guest and back. */
	int (*run)(struct machine *machine);
	/* What the guest wrote to the port, 32 bits. */
	uint32_t (*written)(const struct machine *machine);
	/* Into the hypervisor, but not into the guest, as long as it is on. */
	void (*refuse_entry)(struct machine *machine, bool on);
	/* The guest takes it at the next entry; it must be able to. */
	void (*interrupt)(struct machine *machine, unsigned int vector);
};

extern const struct hypervisor dune, kvm;

/* machine.c */
void machine_create(struct machine *machine, const struct hypervisor *hypervisor);
void machine_destroy(struct machine *machine);
void machine_place(struct machine *machine, uint64_t address, const char *code, const char *end);
/* The region's pages as nobody has touched them; as MADV_DONTNEED leaves them; all there. */
void region_renew(struct machine *machine);
void region_discard(struct machine *machine);
void region_fill(struct machine *machine);

#endif /* BENCH_H */
