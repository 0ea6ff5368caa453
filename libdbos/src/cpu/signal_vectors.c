// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>
#include <string.h>

#include "cpu/signal_vectors.h"
#include "cpu/vcpu.h"

#define LEGACY_SIZE 512
#define HEADER_SIZE 64

#define CONTROL_WORD_INITIAL 0x37f
#define MXCSR_INITIAL	     0x1f80
#define MXCSR_BITS	     0xffbf	/* where FXSAVE tells no mask (SDM 1 11.6.6) */
#define X87_AND_SSE	     3ull	/* their bits in XCR0 */

/* The kernel's marks: in the bytes that XSAVE leaves to software, and behind the area. */
#define MAGIC_IN_AREA	  0x46505853u
#define MAGIC_BEHIND_AREA 0x46505845u

/* SDM 1 10.5.1.1 and 13.4: the legacy region, and the header behind it. */
struct xsave_area {
	uint16_t control, status;
	uint8_t tags, reserved;
	uint16_t opcode;
	uint64_t instruction, data;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[464 - 32];
	struct {
		uint32_t magic, extended_size;
		uint64_t features;
		uint32_t size, padding[7];
	} software;
	uint64_t present, compaction, zero[6];
};

_Static_assert(offsetof(struct xsave_area, software) == 464, "the last 48 bytes");
_Static_assert(offsetof(struct xsave_area, present) == LEGACY_SIZE, "XSTATE_BV");

static uint64_t features(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

uint64_t signal_vectors_size(const struct vcpu *vcpu)
{
	return vcpu->signals.vectors_size + (vcpu->xsave_size ? sizeof(uint32_t) : 0);
}

bool signal_vectors_out(const struct vcpu *vcpu, void *vectors, uint64_t to)
{
	struct xsave_area *area = vectors;
	uint32_t size = vcpu->signals.vectors_size, magic = MAGIC_BEHIND_AREA;

	if (!vcpu->xsave_size)
		return dbos_signal_copy((void *)to, area, size);
	memset(&area->software, 0, sizeof(area->software));
	area->software.magic = MAGIC_IN_AREA;
	area->software.extended_size = size + sizeof(magic);
	area->software.features = features();
	area->software.size = size;
	return dbos_signal_copy((void *)to, area, size) &&
	       dbos_signal_copy((void *)(to + size), &magic, sizeof(magic));
}

/* How much of an XSAVE area lies at @from: none where the marks are not the kernel's. */
static uint32_t extended_size(const struct vcpu *vcpu, const struct xsave_area *area, uint64_t from)
{
	uint32_t size = area->software.size, magic;

	if (!vcpu->xsave_size || area->software.magic != MAGIC_IN_AREA ||
	    size < LEGACY_SIZE + HEADER_SIZE || size > vcpu->signals.vectors_size ||
	    !dbos_signal_copy(&magic, (void *)(from + size), sizeof(magic)) ||
	    magic != MAGIC_BEHIND_AREA)
		return 0;
	return size - LEGACY_SIZE;
}

bool signal_vectors_in(const struct vcpu *vcpu, void *vectors, uint64_t from)
{
	struct xsave_area *area = vectors;
	uint32_t mask = area->mxcsr_mask ? area->mxcsr_mask : MXCSR_BITS, size;

	memset(area, 0, vcpu->signals.vectors_size);
	if (!from) {
		area->control = CONTROL_WORD_INITIAL;
		area->mxcsr = MXCSR_INITIAL;
		return true;
	}
	if (!dbos_signal_copy(area, (void *)from, LEGACY_SIZE))
		return false;
	area->mxcsr &= mask;
	if (!vcpu->xsave_size)
		return true;
	size = extended_size(vcpu, area, from);
	if (!size) {
		area->present = X87_AND_SSE;
		return true;
	}
	if (!dbos_signal_copy(&area->present, (void *)(from + LEGACY_SIZE), size))
		return false;
	area->present &= features();
	area->compaction = 0;
	memset(area->zero, 0, sizeof(area->zero));
	return true;
}

uint32_t signal_vectors_exceptions(const void *vectors, bool sse)
{
	const struct xsave_area *area = vectors;

	if (sse)
		return area->mxcsr & ~(area->mxcsr >> 7) & 0x3f;
	return area->status & ~area->control & 0x3f;
}
