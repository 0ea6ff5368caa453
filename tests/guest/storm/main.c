// SPDX-License-Identifier: BSD-2-Clause
/*
 * storm ROUNDS: leaf code with a pattern in each register, in the flags and in all of its red zone,
 * while another vCPU sends it calls, and takes from it the right to write to the page it writes to.
 * Neither the interrupts nor the faults may change anything. Both handlers use vector registers.
 */
#include <cpuid.h>
#include <sys/mman.h>

#include <dbos/mm.h>

#include "check.h"
#include "partner.h"
#include "storm/leaf.h"

#define WRITES 2000

/* Of an XSAVE area (SDM 1 13.4): what is in the legacy part, and the others by CPUID. */
#define X87_CONTROL  0
#define X87_TAGS     4
#define MXCSR	     24
#define ST	     32
#define ST_STRIDE    16
#define ST_SIZE	     10
#define XMM	     160
#define XMM_END	     416
#define STATE_BV     512
#define VECTOR_STATE 0xe6ull	/* of XCR0: SSE, AVX, AVX-512 */

/* CF, PF, AF, ZF, SF, DF, OF, and 1; IF as it has to be. */
#define FLAGS_ALL  0xcd5ull
#define FLAGS_NONE 0x2ull
#define FLAG_IF	   0x200ull

static struct dbos *dbos;
static char *page;
static struct leaf in, out;
static uint64_t faults, calls;

static uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (uint64_t)high << 32;
}

/* @visit each part of an XSAVE area that holds registers. */
static void for_each_part(void (*visit)(const char *name, size_t at, size_t size))
{
	unsigned int size, at, ecx, edx;

	visit("x87 control word", X87_CONTROL, 2);
	visit("MXCSR", MXCSR, 4);
	for (int i = 0; i < 8; i++)
		visit("x87 register", ST + i * ST_STRIDE, ST_SIZE);
	visit("XMM registers", XMM, XMM_END - XMM);
	for (unsigned int component = 2; component < 8; component++) {
		if (!(VECTOR_STATE & read_xcr0() & 1ull << component))
			continue;
		__cpuid_count(0xd, component, size, at, ecx, edx);
		check(at + size <= sizeof(in.xsave), "the XSAVE area is larger");
		visit("upper parts of vector registers", at, size);
	}
}

static void fill(const char *name, size_t at, size_t size)
{
	(void)name;
	for (size_t i = 0; i < size; i++)
		in.xsave[at + i] = 1 + (at + i) * 37 % 251;
}

static void compare(const char *name, size_t at, size_t size)
{
	check(memcmp(in.xsave + at, out.xsave + at, size) == 0, "%s, at %zu", name, at);
}

static void put(size_t at, uint64_t value, size_t size)
{
	memcpy(in.xsave + at, &value, size);
}

static void prepare(void)
{
	uint64_t state = 3 | (VECTOR_STATE & read_xcr0());

	for_each_part(fill);
	put(X87_CONTROL, 0x107f, 2);
	put(X87_TAGS, 0xff, 1);
	put(MXCSR, 0x5f80, 4);
	put(STATE_BV, state, 8);
	for (int i = 0; i < REGISTERS; i++)
		in.gpr[i] = 0x0101010101010101ull * (i + 1);
	for (int i = 0; i < 16; i++)
		in.red_zone[i] = 0x1001001001001001ull * (i + 1);
	in.gpr[R15] = (uint64_t)page;
}

__attribute__((target("avx"))) static void use_vectors(void)
{
	__asm__ volatile("vzeroall" : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			 "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			 "xmm15");
}

static void on_call(void *arg)
{
	(void)arg;
	use_vectors();
	calls++;
}

static void set_writable(bool writable)
{
	struct dbos_entry entry;
	dbos_pte_t value;

	check_ok(dbos_pte_lock(dbos, page, DBOS_PAGE_SIZE, &entry));
	value = writable ? entry.value | DBOS_PTE_W : entry.value & ~DBOS_PTE_W;
	dbos_pte_unlock(&entry, value);
}

static enum dbos_verdict on_fault(void *arg, uintptr_t va, uint64_t error_code, struct dbos_tf *tf)
{
	(void)arg;
	(void)va;
	(void)error_code;
	(void)tf;
	use_vectors();
	set_writable(true);
	dbos_invlpg(page);
	store(faults, faults + 1);
	return DBOS_HANDLED;
}

static void hold(void)
{
	static bool all;

	all = !all;
	in.flags = (all ? FLAGS_ALL : FLAGS_NONE) | FLAG_IF;
	leaf(&in, &out, WRITES);
	for (int i = 0; i < REGISTERS; i++)
		check(in.gpr[i] == out.gpr[i], "general register %d: %#lx", i, out.gpr[i]);
	check(memcmp(in.red_zone, out.red_zone, sizeof(in.red_zone)) == 0, "the red zone");
	check((in.flags | 2) == (out.flags | 2), "flags: %#lx, not %#lx", out.flags, in.flags);
	for_each_part(compare);
}

static void storm(uint64_t rounds)
{
	begin_partner(hold);
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t before = load(faults);

		set_writable(false);
		check_ok(dbos_flush(dbos, page, 1, DBOS_FLUSH_SYNC, NULL));
		check_ok(dbos_call(dbos, partner.number, on_call, NULL, DBOS_CALL_WAIT));
		while (load(faults) == before)
			check_ok(dbos_call(dbos, partner.number, on_call, NULL, 0));
	}
	end_partner();
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 100;

	check(__builtin_cpu_supports("avx"), "this takes a CPU with AVX");
	page = mmap(NULL, DBOS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	check(page != MAP_FAILED, "no memory");
	*page = 1;
	prepare();
	check_ok(dbos_init());
	dbos = dbos_instance();
	check_ok(dbos_on_fault(dbos, (uintptr_t)page, (uintptr_t)page + DBOS_PAGE_SIZE, on_fault,
			       NULL));
	check_ok(dbos_enter());
	storm(rounds);
	check_ok(dbos_leave());
	check(faults >= rounds && calls >= rounds, "%lu faults, %lu calls", faults, calls);
	printf("storm: ok, %lu acts\n", partner.acts);
	return 0;
}
