// SPDX-License-Identifier: BSD-2-Clause
/* What ring 3 finds in the processor, what it keeps there, and what it leaves: nothing. */
#include "check.h"
#include "udf/udf.h"

extern char ring3_returns[], ring3_find_things[], ring3_keep_things[], ring3_leave_things[];
extern char ring3_leave_ac[];

#define SECRET 0x5ec4e75ec4e75ec4ul

#define MXCSR_DEFAULT 0x1f80u

/* All vector registers of ours become a secret. */
static void fill_vectors(void)
{
#define FILL(n) __asm__ volatile("movq %0, %%xmm" #n "; pshufd $0x44, %%xmm" #n ", %%xmm" #n \
				 : : "r"(SECRET) : "xmm" #n)
	FILL(0);
	FILL(1);
	FILL(2);
	FILL(3);
	FILL(7);
	FILL(8);
	FILL(14);
	FILL(15);
}

static uint64_t xmm15(void)
{
	uint64_t value;

	__asm__ volatile("movq %%xmm15, %0" : "=r"(value));
	return value;
}

static void finds_nothing(void)
{
	const uint64_t *word = (uint64_t *)ground.data;
	const uint16_t *tags = (uint16_t *)(ground.data + 264 + 8);
	struct dbos_user_stop stop;

	memset(ground.data, 0xff, 4096);
	begin(ring3_find_things, 0);
	fill_vectors();
	go_on(&stop);
	check(stop.reason == DBOS_USER_RETURNED, "stopped for reason %d, vector %u", stop.reason,
	      stop.vector);
	for (int i = 0; i < 32; i++)
		check(word[i] == 0, "xmm%d has %#lx", i / 2, word[i]);
	check(*(uint32_t *)(ground.data + 256) == MXCSR_DEFAULT, "MXCSR");
	check(*tags == 0xffff, "tags of x87 %#x", *tags);
	/* Selectors, the bases, and registers that a call does not pass. */
	for (int i = 296 / 8; i < 384 / 8; i++)
		check(word[i] == 0, "word %d has %#lx", i, word[i]);
}

static void keeps_all(void)
{
	struct dbos_user_stop stop;
	unsigned int preempted;

	begin(ring3_keep_things, 40000000);
	fill_vectors();
	go_on(&stop);
	check(stop.reason == DBOS_USER_SYSCALL, "stopped for reason %d, vector %u", stop.reason,
	      stop.vector);
	check(dbos_user_regs(ground.user)->tf.rax == 39, "call %lu",
	      dbos_user_regs(ground.user)->tf.rax);
	dbos_user_regs(ground.user)->tf.rax = 4711;
	fill_vectors();
	preempted = go_on(&stop);
	check(stop.reason == DBOS_USER_RETURNED && stop.value == 0,
	      "stopped for reason %d, vector %u; %lu was not kept", stop.reason, stop.vector,
	      stop.value);
	check(preempted, "it was never preempted");
}

struct own {
	uint64_t fs, gs, flags, xmm15;
	uint32_t mxcsr;
	uint16_t x87, ds, es;
};

static struct own own_registers(void)
{
	struct own own = { .xmm15 = xmm15() };

	__asm__ volatile("rdfsbase %0" : "=r"(own.fs));
	__asm__ volatile("rdgsbase %0" : "=r"(own.gs));
	__asm__ volatile("pushfq; pop %0" : "=r"(own.flags));
	__asm__ volatile("stmxcsr %0" : "=m"(own.mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(own.x87));
	__asm__ volatile("mov %%ds, %0" : "=r"(own.ds));
	__asm__ volatile("mov %%es, %0" : "=r"(own.es));
	own.flags &= ~0x8d5ul;		/* arithmetic */
	return own;
}

/* A call of ring 3 is nobody's but its caller's: no handler of system calls sees it. */
static enum dbos_verdict count_call(void *arg, struct dbos_tf *tf)
{
	(void)tf;
	++*(unsigned int *)arg;
	return DBOS_NEXT;
}

static void leaves_nothing(unsigned int *calls)
{
	struct dbos_user_stop stop;
	struct own before, after;
	unsigned int calls_before;

	begin(ring3_leave_things, 0);
	fill_vectors();
	before = own_registers();
	calls_before = *calls;
	go_on(&stop);
	after = own_registers();
	check(stop.reason == DBOS_USER_SYSCALL, "stopped for reason %d, vector %u", stop.reason,
	      stop.vector);
	check(memcmp(&before, &after, sizeof(before)) == 0,
	      "FS %#lx was %#lx, GS %#lx was %#lx, flags %#lx were %#lx, MXCSR %#x was %#x, "
	      "x87 %#x was %#x, DS %#x was %#x, xmm15 %#lx", after.fs, before.fs, after.gs,
	      before.gs, after.flags, before.flags, after.mxcsr, before.mxcsr, after.x87,
	      before.x87, after.ds, before.ds, after.xmm15);
	check(dbos_user_regs(ground.user)->tf.rax == 231, "the call");
	check(dbos_user_regs(ground.user)->fs_base == (uint64_t)ground.data, "its FS base");
	check(*calls == calls_before, "a handler has seen the call");
}

static void leaves_no_ac(void)
{
	struct dbos_user_stop stop;
	uint64_t before, after;

	begin(ring3_leave_ac, 0);
	before = own_registers().flags;
	go_on(&stop);
	after = own_registers().flags;
	check(stop.reason == DBOS_USER_FAULT && stop.vector == 6, "reason %d, vector %u",
	      stop.reason, stop.vector);
	check(after == before, "flags %#lx were %#lx", after, before);
}

void registers_stay_apart(void)
{
	static unsigned int calls;
	struct dbos_user_stop stop;

	begin(ring3_returns, 41);
	go_on(&stop);
	check(stop.reason == DBOS_USER_RETURNED && stop.value == 42, "reason %d, value %lu",
	      stop.reason, stop.value);
	finds_nothing();
	keeps_all();
	leaves_nothing(&calls);
	check_ok(dbos_on_syscall(ground.dbos, DBOS_ANY, count_call, &calls));
	leaves_nothing(&calls);
	finds_nothing();
	leaves_no_ac();
	printf("registers: ok\n");
}
