// SPDX-License-Identifier: BSD-2-Clause
#include <cpuid.h>
#include <string.h>

#include "cpu/offsets.h"
#include "cpu/ring3.h"
#include "dbos_internal.h"

/* What POPF may change at CPL 3, and RF, which IRETQ may: arithmetic, TF, DF, NT, AC, ID. */
#define USER_FLAGS 0x254dd5ull

#define MXCSR_OFFSET  24
#define MXCSR_DEFAULT 0x1f80u
#define FCW_DEFAULT   0x37fu

#define DR6_DEFAULT 0xffff0ff0ull
#define VECTOR_DB   1

struct segments {
	struct ring3_selectors selectors;
	uint64_t fs_base, gs_base;
};

/* As for cpu/vcpu.c, which knows by CR4 whether there is XSAVE: then its size is not 0. */
size_t ring3_vectors_size(void)
{
	uint32_t eax, ebx, ecx, edx;

	if (!__get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx) || ebx < 512)
		return 512;
	return (ebx + 63) & ~63u;
}

void ring3_reset(struct ring3 *ring3)
{
	char *vectors = ring3->vectors;

	ring3->regs = (struct dbos_user_regs){ 0 };
	ring3->selectors = (struct ring3_selectors){ 0 };
	/* XSTATE_BV 0 is the initial state, of all but MXCSR. FXRSTOR takes things as they are. */
	memset(vectors, 0, ring3_vectors_size());
	*(uint16_t *)vectors = FCW_DEFAULT;
	*(uint32_t *)(vectors + MXCSR_OFFSET) = MXCSR_DEFAULT;
}

static void save_vectors(const struct vcpu *vcpu, void *area)
{
	if (vcpu->xsave_size)
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void load_vectors(const struct vcpu *vcpu, const void *area)
{
	if (vcpu->xsave_size)
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

static void save_segments(struct segments *to)
{
	__asm__ volatile("mov %%ds, %0" : "=m"(to->selectors.ds));
	__asm__ volatile("mov %%es, %0" : "=m"(to->selectors.es));
	__asm__ volatile("mov %%fs, %0" : "=m"(to->selectors.fs));
	__asm__ volatile("mov %%gs, %0" : "=m"(to->selectors.gs));
	__asm__ volatile("rdfsbase %0" : "=r"(to->fs_base));
	__asm__ volatile("rdgsbase %0" : "=r"(to->gs_base));
}

/* Bases last: a selector brings a base of its own. */
static void load_segments(const struct segments *from)
{
	__asm__ volatile("mov %0, %%ds" : : "m"(from->selectors.ds));
	__asm__ volatile("mov %0, %%es" : : "m"(from->selectors.es));
	__asm__ volatile("mov %0, %%fs" : : "m"(from->selectors.fs));
	__asm__ volatile("mov %0, %%gs" : : "m"(from->selectors.gs));
	__asm__ volatile("wrfsbase %0" : : "r"(from->fs_base));
	__asm__ volatile("wrgsbase %0" : : "r"(from->gs_base));
}

/* Selectors are what ring 3 could load: they are good for us too. */
static void load_user(const struct vcpu *vcpu, struct ring3 *ring3)
{
	struct segments user = {
		.selectors = ring3->selectors,
		.fs_base = ring3->regs.fs_base,
		.gs_base = ring3->regs.gs_base,
	};

	ring3->regs.tf.cs = SELECTOR_USER_CODE;
	ring3->regs.tf.ss = SELECTOR_USER_DATA;
	ring3->regs.tf.rflags = (ring3->regs.tf.rflags & USER_FLAGS) | RFLAGS_FIXED | RFLAGS_IF;
	load_vectors(vcpu, ring3->vectors);
	load_segments(&user);
}

static void save_user(const struct vcpu *vcpu, struct ring3 *ring3)
{
	struct segments user;

	save_segments(&user);
	save_vectors(vcpu, ring3->vectors);
	ring3->selectors = user.selectors;
	ring3->regs.fs_base = user.fs_base;
	ring3->regs.gs_base = user.gs_base;
}

/* Between load_user() and save_user() FS is not ours: nothing in here may use thread-local data. */
void ring3_run(struct vcpu *vcpu, struct ring3 *ring3, void *own_vectors, uint64_t *cr2)
{
	uint64_t irqs = machine_irqs_off();
	struct segments own;

	save_segments(&own);
	save_vectors(vcpu, own_vectors);
	load_user(vcpu, ring3);
	vcpu->in_ring3 = 1;
	dbos_ring3_enter(vcpu, &ring3->regs.tf, ring3->cr3);
	vcpu->in_ring3 = 0;
	/* Before anything else may fault. */
	__asm__ volatile("mov %%cr2, %0" : "=r"(*cr2));
	if (ring3->regs.tf.num == VECTOR_DB)
		__asm__ volatile("mov %0, %%dr6" : : "r"(DR6_DEFAULT));
	save_user(vcpu, ring3);
	load_segments(&own);
	load_vectors(vcpu, own_vectors);
	machine_irqs_restore(irqs);
}
